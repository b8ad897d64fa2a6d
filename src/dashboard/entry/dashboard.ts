import { h, render } from 'preact';
import { Page } from '../page/page.ts';
import { App } from '../views/app.ts';

const root = document.getElementById('page');
if (root === null) throw new Error('the page has no place to be drawn in');
const page = new Page();
const draw = () => render(h(App, { page }), root);
let isPlanned = false;
// However much is told between two frames, it is drawn once. Nobody sees a hidden page, but its title is read.
const soon = (run: () => void) => (document.hidden ? queueMicrotask(run) : requestAnimationFrame(run));
page.onChange(() => {
  if (isPlanned) return;
  isPlanned = true;
  soon(() => {
    isPlanned = false;
    draw();
  });
});
draw();

import { h, render } from 'preact';
import { Page } from '../page/page.ts';
import { App } from '../views/app.ts';

const root = document.getElementById('page');
if (root === null) throw new Error('the page has no place to be drawn in');
const page = new Page();
const draw = () => render(h(App, { page }), root);
let isPlanned = false;
// Several messages at once are drawn once.
page.onChange(() => {
  if (isPlanned) return;
  isPlanned = true;
  queueMicrotask(() => {
    isPlanned = false;
    draw();
  });
});
draw();

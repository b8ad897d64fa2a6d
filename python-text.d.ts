/** What a page has of a file of Python: its text, which the bundler puts there. */
declare module '*.py' {
  const text: string;
  export default text;
}

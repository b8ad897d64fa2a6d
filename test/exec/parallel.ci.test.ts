import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { describe, test } from 'node:test';
import { CommandLine } from '../support/command-line.ts';
import { manyhands } from '../support/processes.ts';

/** Command lines for both: `P` is either program. What it prints, in the order of the inputs, must be the same bytes. */
const CASES: readonly (readonly [about: string, script: string])[] = [
  ['values on the command line', 'P echo ::: a b c'],
  ['values that a shell would take apart', `P echo {} ::: 'a b' "it's" '$HOME' 'x;y' '*' '' 'a"b' 'é漢'`],
  ['lines of standard input', "printf 'a b\\nc\\n\\nd' | P echo x{}y"],
  ['a path without its extension', 'P echo {.} ::: a.b.c dir/x.tar.gz dir.d/none .hidden'],
  ['the parts of a path', 'P echo {/} {//} {/.} ::: dir/a.txt /x.y plain a/b/c.d ./e'],
  ['every value with every other', 'P echo {} ::: 1 2 ::: a b ::: x y'],
  ['values side by side', 'P echo {1}-{2} ::: 1 2 3 :::+ a b c'],
  ['values side by side, some of them lacking', 'P echo ::: 1 2 3 :::+ a b'],
  ['side by side, and each with every other', 'P echo {3} {2} {1} ::: 1 2 ::: a b :::+ x y'],
  ['files of values', 'P echo :::: one two'],
  ['files of values, side by side', 'P echo {2} {1} :::: one ::::+ two'],
  ['a file of values as an option', 'P -a one echo {}'],
  ['two files of values as options', 'P -a one -a two echo {1}{2}'],
  ['values on the command line and of a file', 'P echo ::: a b :::: one'],
  ['values by their place, with their parts', 'P echo {2.} {1/} {2//} ::: x/a.b ::: y/c.d'],
  ['values counted from the last', 'P echo {-1} {1} {-2} ::: a b ::: c d'],
  ['several values for one command', 'P -n2 echo ::: a b c d e'],
  ['several values for one command, by their place', 'P -N3 echo {3} {1} {2}. ::: a b c d'],
  ['values that end with NUL', "printf 'a b\\0c\\nd\\0' | P -0 echo"],
  ['columns', "P --colsep , echo {2} {1} ::: 'a,b' 'c, d e '"],
  ['columns by a pattern', "printf '1\\t2\\n3  4 5\\n' | P --colsep '\\s+' echo {2} {3} {1}"],
  ['columns with names', "printf 'name,size\\nx,1\\ny z,2\\n' | P --header : --colsep , echo {size} {name}"],
  ['values with names', 'P --header : echo {x}{y} ::: x 1 2 ::: y a b'],
  ['another mark', 'P -I ,, echo {} ,, ,,x ::: a b'],
  ['spaces taken off', "P --trim lr echo '[{}]' ::: ' a ' 'b  '"],
  ['spaces taken off on the left', "P --trim l echo ::: ' a '"],
  ['numbers of commands', 'P echo {#} {} ::: a b c'],
  ['tags', "P --tag 'echo 1; echo {}' ::: a 'b c'"],
  ['tags of several values', 'P --tag echo {2} ::: a b ::: c'],
  ['words kept as they are', `P -q echo 'a  b' '$HOME {}' '"' ::: 'c  d'`],
  ['what would be run', `P --dry-run gzip -9 {} '>' {.}.gz ::: 'a b.txt' "it's" x+y_z-1.2/3 a=b a:b a,b @ %`],
  ['standard input in blocks of lines', 'seq 10 | P --pipe -N3 cat'],
  ['standard input in blocks of bytes', 'seq 1000 | P --pipe --block 1K wc -l'],
  ['commands as values', "P ::: 'echo a  b' 'echo $((1 + 1)); echo c'"],
  ['commands as lines', "printf 'echo 1\\necho 2 | tr 2 3\\n' | P"],
  ['a pipe in the command', "P 'echo {} | tr a-z A-Z' ::: a b"],
  ['a command with braces of its own', 'P echo {a,b} x{}y {{}} ::: q'],
  ['output without a last line feed', "P 'printf {}' ::: a b"],
  ['output that is no text', 'P \'printf "\\\\377\\\\0\\\\200{}"\' ::: a b'],
  ['what a failed command had printed', "P 'echo {}; exit {}' ::: 0 3 0 || :"],
  ['one slot', 'P -j1 echo {%} {#} ::: a b c'],
  ['another directory', 'P --wd / pwd ::: a'],
  ['nothing', 'P echo </dev/null'],
  ['as many values as fit, spread over the slots', 'P -j2 -X echo x{}y{} {#} ::: a b c d e'],
  ['as many values as fit, all in one place', 'P -j2 -m echo x{}y ::: a b c d e'],
  ['as many values as fit, not spread', 'seq 5 | P -j2 --xargs echo x{}'],
  ['as many values as fit into so many bytes', 'seq 200 | P -j2 -X -s 100 echo x{}'],
  ['as many values as fit with -m', 'seq 1000 | P -j3 -m -s 1000 echo x{} {/}'],
  ['at most so many of them', 'P -j2 -X -n3 echo {}x ::: a b c d e'],
  ['as many values of several sources', 'P -j1 -X echo {}x {1} ::: a b ::: c d'],
  ['a word for each of several values', "P -N2 'echo {.}{/}' 'z{} \"a {} b\"' ::: d/a.x b c"],
  ['a word with a tab before it', "P -j1 -X --dry-run 'echo {}\tz{} {1}' ::: a b"],
  ['several values without a word for each', 'P -n2 echo x{}y ::: a b c'],
  ['no values', 'P -N0 echo hi ::: a b'],
  ['lines, some of them going on', "printf 'a b\nc\n\nd\ne \nf\ng\n' | P -j1 -L2 echo 'x[{}]'"],
  ['lines one by one', "printf 'a \n\nb\n\nc\t\n' | P -L 1 echo '[{}]'"],
  ['lines all in one place', "printf 'a\nb\nc\nd e\n' | P -j2 -m --max-lines=3 echo x{}"],
  ...[
    '{+/}',
    '{+.}',
    '{+..}',
    '{+...}',
    '{..}',
    '{...}',
    '{/..}',
    '{/...}',
    '{##}',
    '{0#}',
    '{:-none}',
    '{:2}',
    '{:1:2}',
    '{2..} {2/..} {-1+.}',
  ].map(plus),
  ...[
    '{#[a-z]*\\.}',
    '{##.*\\.}',
    '{%\\..*}',
    '{%%\\..*}',
    '{/b/X}',
    '{//b/X}',
    '{/b/}',
    '{/#d/X}',
    '{/%c/X}',
    '{1%.c}',
  ].map(plus),
  ...['{^d}', '{^^[a-c]}', '{,A}', '{,,[A-C]}', '{a,b} {x%y} {#} {%x} {2#y}', '{/.}{.}{/}{//}{}'].map(plus),
  ['files of output', 'P --results r echo {} ";" echo err ">&2" ::: 0 a/b "c d" "" "e\tf" "g\\h"; FILES'],
  ['files of output of failed commands', 'P --results r "printf %s {}; exit {}" ::: 0 3 2>/dev/null; FILES'],
  ['files of output, several values', 'P --results r -N2 echo ::: a b c; FILES'],
  ['files of output, several columns', 'P --results r --colsep , echo ::: a,b c; FILES'],
  ['files of output, columns with names', 'P --results r --header : echo {} ::: z 1 2 ::: 11a x y ::: 2b u; FILES'],
];

/** Every replacement string of `--plus` meets the same paths. */
function plus(text: string): readonly [string, string] {
  return [`more replacement strings: ${text}`, `P --plus echo '${text}' ::: dir/a.bab.c.c abc Abc '' ::: y.tar.gz`];
}

const parallel = findParallel();

describe('a command line prints what GNU Parallel prints for it', { skip: parallel.lacking }, () => {
  for (const [about, script] of CASES) {
    test(about, { timeout: 120_000 }, async (t) => {
      const shell = new CommandLine(t);
      shell.write('one', '1\n2\n');
      shell.write('two', 'a\nb\n');
      const program = manyhands.map((word) => `'${word}'`).join(' ');
      const [theirs, ours] = await Promise.all([
        output(shell, script, 'parallel --will-cite --keep-order'),
        output(shell, script, `${program} exec --quiet`),
      ]);
      assert.deepEqual(ours, theirs);
    });
  }
});

/** Bytes are told apart, and readable where they differ. */
async function output(shell: CommandLine, script: string, program: string): Promise<string> {
  const files = 'find r | sort; find r -type f | sort | while read -r f; do cat "$f"; done; rm -r r';
  const text = `P() { ${program} "$@"; }\nFILES() { ${files}; }\n{ ${script}; } | od -c -A d`;
  const { stdout } = await shell.shell(['sh', '-c', text], { input: '', env: { LC_ALL: 'C.UTF-8' } }).exit(100_000);
  return stdout;
}

/** Missing in CI is an error, elsewhere a reason to skip. */
function findParallel(): { lacking: string | undefined } {
  try {
    const words = execFileSync('parallel', ['--version'], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] });
    if (words.startsWith('GNU parallel')) return { lacking: undefined };
  } catch {
    // It is not there, or another program of that name is.
  }
  if (process.env['CI'] !== undefined) throw new Error('GNU Parallel is missing: apt-get install -y parallel');
  return { lacking: 'needs GNU Parallel: apt-get install -y parallel' };
}

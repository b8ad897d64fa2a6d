// Counts lines, words and bytes, as wc does: of the files that are named, or of standard input.
#include <ctype.h>
#include <stdio.h>

// All that is needed of printf, which would be a third of the module.
static void print_number(unsigned long number) {
  if (number > 9) print_number(number / 10);
  putchar('0' + number % 10);
}

static void count(FILE *file, const char *name) {
  unsigned long lines = 0, words = 0, bytes = 0;
  int inside = 0;
  for (int c; (c = getc(file)) != EOF; bytes++) {
    if (c == '\n') lines++;
    if (isspace(c)) inside = 0;
    else if (!inside) inside = 1, words++;
  }
  print_number(lines);
  putchar(' ');
  print_number(words);
  putchar(' ');
  print_number(bytes);
  if (*name != 0) putchar(' ');
  puts(name);
}

int main(int argc, char **argv) {
  if (argc == 1) count(stdin, "");
  for (int i = 1; i < argc; i++) {
    FILE *file = fopen(argv[i], "r");
    if (file == NULL) {
      fputs(argv[i], stderr);
      fputs(": no such file\n", stderr);
      return 1;
    }
    count(file, argv[i]);
    fclose(file);
  }
  return 0;
}

// A Julia set in letters: julia WIDTH HEIGHT REAL IMAGINARY, the last two in thousandths. With the name of a file behind
// them it also leaves a picture there, in the format PGM. Numbers are whole, so that every machine draws the same.
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define ONE (1 << 24)
#define STEPS 255

static long times(long a, long b) { return (long)((long long)a * b / ONE); }

static int steps(long x, long y, long real, long imaginary) {
  for (int step = 0; step < STEPS; step++) {
    long square_x = times(x, x), square_y = times(y, y);
    if (square_x + square_y > 4 * ONE) return step;
    y = 2 * times(x, y) + imaginary;
    x = square_x - square_y + real;
  }
  return STEPS;
}

static void print_number(FILE *file, int number) {
  if (number > 9) print_number(file, number / 10);
  putc('0' + number % 10, file);
}

static void save(FILE *file, const unsigned char *picture, int width, int height) {
  fputs("P5 ", file);
  print_number(file, width);
  putc(' ', file);
  print_number(file, height);
  fputs(" 255\n", file);
  fwrite(picture, 1, (size_t)width * height, file);
  fclose(file);
}

int main(int count, char **words) {
  if (count < 5) {
    fputs("usage: julia WIDTH HEIGHT REAL IMAGINARY [FILE]\n", stderr);
    return 2;
  }
  int width = atoi(words[1]), height = atoi(words[2]);
  if (width < 1 || height < 1 || width > 10000 || height > 10000) {
    fputs("WIDTH and HEIGHT must be from 1 to 10000\n", stderr);
    return 2;
  }
  long real = atol(words[3]) * (ONE / 1000), imaginary = atol(words[4]) * (ONE / 1000);
  unsigned char *picture = malloc((size_t)width * height);
  for (int row = 0; row < height; row++) {
    for (int column = 0; column < width; column++) {
      long x = (long)((3LL * (2 * column + 1) - 3LL * width) * ONE / (2 * width));
      long y = (long)((2LL * (2 * row + 1) - 2LL * height) * ONE / (2 * height));
      picture[row * width + column] = steps(x, y, real, imaginary);
    }
  }
  FILE *file = count > 5 ? fopen(words[5], "wb") : 0;
  if (file != 0) save(file, picture, width, height);
  else for (int row = 0; row < height; row++) {
    for (int column = 0; column < width; column++) {
      int all = picture[row * width + column];
      putchar(" .:-=+*#%@"[all >= STEPS ? 9 : all > 90 ? 8 : all / 12]);
    }
    putchar('\n');
  }
  return 0;
}

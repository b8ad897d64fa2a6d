// What tests ask of WASI, one question a word of the arguments. It prints without printf, which would be most of the module.
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include <wasi/api.h>

extern char **environ;

static void print_to(int stream, const char *text) { write(stream, text, strlen(text)); }
static void print(const char *text) { print_to(1, text); }

static void print_number(unsigned long long number) {
  char digits[21];
  char *at = digits + sizeof digits - 1;
  *at = 0;
  do *--at = '0' + number % 10;
  while (number /= 10);
  print(at);
}

static void print_clock(const char *name, clockid_t clock) {
  struct timespec now;
  clock_gettime(clock, &now);
  print(name);
  print_number((unsigned long long)now.tv_sec * 1000 + now.tv_nsec / 1000000);
  print("\n");
}

static void print_random(void) {
  unsigned char bytes[16];
  getentropy(bytes, sizeof bytes);
  for (unsigned i = 0; i < sizeof bytes; i++) {
    print_number(bytes[i]);
    print(" ");
  }
  print("\n");
}

static void sleep_a_second(void) {
  struct timespec second = {1, 0};
  nanosleep(&second, 0);
}

// Takes memory until there is no more, and says how many MiB there were.
static void take_memory(void) {
  unsigned taken = 0;
  for (volatile char *piece; taken < 1024 && (piece = malloc(1 << 20)) != 0; taken++) {
    for (int i = 0; i < 1 << 20; i += 4096) piece[i] = 1;
  }
  print_number(taken);
  print(" MiB\n");
}

static void list(const char *path) {
  DIR *directory = opendir(path);
  if (directory == 0) return print("no directory\n");
  for (struct dirent *entry; (entry = readdir(directory)) != 0;) {
    print(entry->d_name);
    print(" ");
    print_number(entry->d_ino);
    print("\n");
  }
  closedir(directory);
}

static void copy(int from, int to) {
  char bytes[4096];
  for (ssize_t count; (count = read(from, bytes, sizeof bytes)) > 0;) write(to, bytes, count);
}

// Writes a file in small pieces, one of them behind a gap and one at its end.
static void write_file(const char *path, int lines) {
  int file = open(path, O_CREAT | O_WRONLY | O_TRUNC);
  if (file < 0) return print("not opened\n");
  for (int i = 0; i < lines; i++) write(file, "line\n", 5);
  lseek(file, 3, SEEK_CUR);
  write(file, "gap\n", 4);
  close(file);
  file = open(path, O_WRONLY | O_APPEND);
  write(file, "end\n", 4);
  close(file);
}

static void print_forever(void) {
  static char bytes[1 << 20];
  for (;;) write(1, bytes, sizeof bytes);
}

static void fill_disk(void) {
  static char bytes[1 << 20];
  int file = open("full", O_CREAT | O_WRONLY);
  unsigned written = 0;
  while (write(file, bytes, sizeof bytes) == sizeof bytes) written++;
  print_number(written);
  print(" MiB\n");
}

// Waits for input or ten seconds, whichever is first.
static void poll_stdin(void) {
  __wasi_subscription_t wishes[2] = {
    {.userdata = 7, .u = {.tag = __WASI_EVENTTYPE_FD_READ}},
    {.userdata = 8, .u = {.tag = __WASI_EVENTTYPE_CLOCK, .u = {.clock = {.id = 1, .timeout = 10000000000}}}},
  };
  __wasi_event_t events[2];
  __wasi_size_t count = 0;
  __wasi_poll_oneoff(wishes, events, 2, &count);
  print_number(count);
  print(" of ");
  print_number(events[0].userdata);
  print("\n");
}

int main(int count, char **words) {
  for (int i = 1; i < count; i++) {
    const char *word = words[i];
    if (strcmp(word, "args") == 0) for (i = 0; i < count; i++) print(words[i]), print("\n");
    else if (strcmp(word, "env") == 0) for (char **each = environ; *each != 0; each++) print(*each), print("\n");
    else if (strcmp(word, "stdin") == 0) copy(0, 1);
    else if (strcmp(word, "complain") == 0) print_to(2, "complaint\nunfinished");
    else if (strcmp(word, "exit") == 0) print("before the end\n"), exit(atoi(words[i + 1]));
    else if (strcmp(word, "trap") == 0) __builtin_trap();
    else if (strcmp(word, "loop") == 0) for (volatile int forever = 1; forever;);
    else if (strcmp(word, "clocks") == 0) print_clock("real ", CLOCK_REALTIME), print_clock("steady ", CLOCK_MONOTONIC);
    else if (strcmp(word, "random") == 0) print_random();
    else if (strcmp(word, "sleep") == 0) sleep_a_second();
    else if (strcmp(word, "poll") == 0) poll_stdin();
    else if (strcmp(word, "memory") == 0) take_memory();
    else if (strcmp(word, "ls") == 0) list(".");
    else if (strcmp(word, "mkdir") == 0) mkdir(words[++i], 0755);
    else if (strcmp(word, "rm") == 0) unlink(words[++i]);
    else if (strcmp(word, "mv") == 0) rename(words[i + 1], words[i + 2]), i += 2;
    else if (strcmp(word, "cat") == 0) {
      int file = open(words[++i], O_RDONLY);
      if (file < 0) print("no file\n");
      else copy(file, 1);
    }
    else if (strcmp(word, "write") == 0) write_file(words[i + 1], atoi(words[i + 2])), i += 2;
    else if (strcmp(word, "flood") == 0) print_forever();
    else if (strcmp(word, "fill") == 0) fill_disk();
    else if (strcmp(word, "bytes") == 0) write(1, "\xff\x00\xfe", 3);
    else return 99;
  }
  return 0;
}

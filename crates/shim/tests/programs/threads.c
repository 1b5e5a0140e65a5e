// threads COUNT MIB crash|watch: COUNT threads that wait, MIB of touched memory. `crash` dereferences null; `watch` says
// "ready", looks at the clock until its standard input ends, and prints the longest gap in microseconds.
#define _GNU_SOURCE
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static pthread_barrier_t started;
static void *wait_here(void *arg) {
  pthread_barrier_wait(&started);
  for (;;) pause();
  return arg;
}
__attribute__((noinline)) static void crash_here(volatile int *nowhere) { *nowhere = 1; }
static long now_us(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return time.tv_sec * 1000000L + time.tv_nsec / 1000;
}
int main(int argc, char **argv) {
  if (argc < 4) return 2;
  int count = atoi(argv[1]);
  size_t size = (size_t)atoi(argv[2]) << 20;
  memset(malloc(size), 1, size);
  pthread_barrier_init(&started, 0, count);
  for (int i = 1; i < count; i++) {
    pthread_t thread;
    pthread_create(&thread, 0, wait_here, 0);
  }
  pthread_barrier_wait(&started);
  if (!strcmp(argv[3], "crash")) crash_here(0);
  puts("ready");
  fflush(stdout);
  long longest = 0, last = now_us();
  struct pollfd input = {0, POLLIN, 0};
  while (poll(&input, 1, 0) == 0) {
    long now = now_us();
    if (now - last > longest) longest = now - last;
    last = now;
  }
  printf("%ld\n", longest);
  return 0;
}

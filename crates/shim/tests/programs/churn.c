// churn: eight threads make and join threads all the time; after SIGUSR2 two threads crash at once.
#define _GNU_SOURCE
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static volatile int go;
static void nothing(int number) { (void)number; }
static void *raise_one(void *arg) {
  raise(SIGUSR1);
  return arg;
}
static void *make_threads(void *arg) {
  for (;;) {
    pthread_t thread;
    if (!pthread_create(&thread, 0, raise_one, 0)) pthread_join(thread, 0);
  }
  return arg;
}
__attribute__((noinline)) static void crash_here(long number) { *(volatile long *)(16 * (number + 1)) = number; }
static void *crasher(void *arg) {
  while (!go) usleep(100);
  crash_here((long)arg);
  return 0;
}
int main(void) {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGUSR2);
  pthread_sigmask(SIG_BLOCK, &set, 0);
  signal(SIGUSR1, nothing);
  pthread_t thread;
  for (int i = 0; i < 8; i++) pthread_create(&thread, 0, make_threads, 0);
  for (long i = 0; i < 2; i++) pthread_create(&thread, 0, crasher, (void *)i);
  puts("ready");
  fflush(stdout);
  int got;
  sigwait(&set, &got);
  go = 1;
  for (;;) pause();
}

// signals N [thread]: N handled SIGSEGVs, half raised and half by faults, on the main thread or another one, then says so and ends
// well.
#define _GNU_SOURCE
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

static sigjmp_buf back;
static volatile int handled;
static void handler(int number) {
  (void)number;
  handled++;
  siglongjmp(back, 1);
}
static void *fault(void *times) {
  for (volatile int i = 0; i < *(int *)times; i++) {
    if (sigsetjmp(back, 1) == 0) {
      if (i % 2) raise(SIGSEGV);
      else *(volatile int *)16 = 1;
    }
  }
  return 0;
}
int main(int argc, char **argv) {
  int times = argc > 1 ? atoi(argv[1]) : 1;
  signal(SIGSEGV, handler);
  pthread_t other;
  if (argc > 2 && pthread_create(&other, 0, fault, &times) == 0) pthread_join(other, 0);
  else fault(&times);
  printf("handled %d\n", handled);
  return 0;
}

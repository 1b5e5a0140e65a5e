// clones: makes processes by fork, vfork and odd clones that crash, while it goes on itself; then ends well.
#define _GNU_SOURCE
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

static char stack[64 * 1024];
static int crash(void *arg) {
  (void)arg;
  *(volatile int *)16 = 1;
  return 0;
}
static void report(const char *name, pid_t pid) {
  int status = 0;
  if (waitpid(pid, &status, __WALL) != pid) perror(name);
  printf("%s %s\n", name, WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV ? "crashed" : "did not crash");
}
int main(void) {
  pid_t pid = fork();
  if (pid == 0) crash(0);
  report("fork", pid);
  pid = vfork();
  if (pid == 0) { raise(SIGSEGV); _exit(1); }
  report("vfork", pid);
  // no SIGCHLD: the kernel tells a tracer of it as if it were a thread
  report("clone", clone(crash, stack + sizeof stack, 0, 0));
  report("clone_vm", clone(crash, stack + sizeof stack, CLONE_VM, 0));
  return 0;
}

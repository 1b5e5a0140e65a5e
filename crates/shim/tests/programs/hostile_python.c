// hostile_python: takes itself for an interpreter whose every list leads back to itself, and crashes. To be run as `python3.11`.
#include <stddef.h>
unsigned int Py_Version = 0x030b07f0;
void *_PyRuntime[1 << 16];
int main(void) {
  for (size_t at = 0; at < sizeof _PyRuntime / sizeof *_PyRuntime; at++) _PyRuntime[at] = &_PyRuntime[at % 4096];
  *(volatile int *)16 = 1;
  return 0;
}

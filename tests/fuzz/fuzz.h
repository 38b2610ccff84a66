/* What a fuzz target offers: libFuzzer's entry point, which the smoke runner calls too. Returns 0;
 * aborts on a fault. */
#ifndef FARM_TESTS_FUZZ_H
#define FARM_TESTS_FUZZ_H

#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#endif

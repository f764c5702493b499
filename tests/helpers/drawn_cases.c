/* drawn_cases.c -- run a target of tests/fuzz/ on cases that are drawn by their number, without libFuzzer.
 *
 *      drawn_cases COUNT
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerInitialize(int *count, char ***words);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* As SplitMix64 has it: targets take their sizes from the first bytes, which have to differ. */
static uint64_t mixed(uint64_t number) {
    uint64_t z = (number + 1) * UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

int main(int count, char **words) {
    const unsigned long cases = count == 2 ? strtoul(words[1], NULL, 10) : 0;
    LLVMFuzzerInitialize(&count, &words);
    for (unsigned long i = 0; i < cases; i++) {
        uint8_t bytes[sizeof(uint64_t)];
        const uint64_t number = mixed(i);
        memcpy(bytes, &number, sizeof bytes);
        LLVMFuzzerTestOneInput(bytes, sizeof bytes);
    }
    printf("%lu cases\n", cases);
    return cases == 0;
}

/* drawn_cases.c -- run a target of tests/fuzz/ on cases that are drawn by their number, without libFuzzer.
 *
 *      drawn_cases COUNT
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerInitialize(int *count, char ***words);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int main(int count, char **words) {
    const unsigned long cases = count == 2 ? strtoul(words[1], NULL, 10) : 0;
    LLVMFuzzerInitialize(&count, &words);
    for (unsigned long i = 0; i < cases; i++) {
        uint8_t number[4] = {(uint8_t)i, (uint8_t)(i >> 8), (uint8_t)(i >> 16), (uint8_t)(i >> 24)};
        for (size_t j = 0; j < sizeof number; j++) number[j] = (uint8_t)(number[j] * 167 + 13 * j);
        LLVMFuzzerTestOneInput(number, sizeof number);
    }
    printf("%lu cases\n", cases);
    return cases == 0;
}

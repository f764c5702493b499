/* dispatch.c -- the instruction sets of this build, and which of them is in use. */
#include <stdatomic.h>

#include "core/cpu.h"
#include "fastclf.h"

static const struct {
    const char *name;
    unsigned needs;
} isas[] = {
#define FC_ROW(isa, needs) {#isa, needs},
    FC_ISAS(FC_ROW)};

enum { ISA_COUNT = sizeof isas / sizeof *isas, UNSET = -1 };
static atomic_int active = UNSET;

size_t fc_isa_count(void) { return ISA_COUNT; }

const char *fc_isa_name(size_t i) { return i < ISA_COUNT ? isas[i].name : ""; }

int fc_isa_available(size_t i) { return i < ISA_COUNT && fc_cpu_has(isas[i].needs); }

int fc_isa_use(size_t i) {
    if (!fc_isa_available(i)) return 0;
    atomic_store(&active, (int)i);
    return 1;
}

size_t fc_isa_active(void) {
    int i = atomic_load(&active);
    if (i == UNSET) {
        for (i = ISA_COUNT - 1; !fc_isa_available((size_t)i); i--) {
        }
        atomic_store(&active, i);
    }
    return (size_t)i;
}

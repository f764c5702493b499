/* cpu.h -- what this processor and its operating system have: instruction set extensions, and how many CPUs. */
#ifndef FASTCLF_CPU_H
#define FASTCLF_CPU_H

enum { FC_CPU_AVX2 = 1, FC_CPU_AVX512 = 2, FC_CPU_VNNI = 4, FC_CPU_AMX = 8, FC_CPU_NEON = 16 };

/* Whether it has all of these.  What the system grants only on request is asked for, where it is among them. */
int fc_cpu_has(unsigned needs);

/* CPUs of the machine, and those that this process may run on; at least 1. */
int fc_cpus(void);
int fc_own_cpus(void);

#endif

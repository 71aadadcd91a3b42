#include "passes/emit/kernel/KernelGen.h"

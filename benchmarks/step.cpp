// Training steps by hand, as fast as we know how: the adversary of the compiled ones. peers.py compiles and calls them.
//
// Each contraction keeps a block of its result in registers: twelve vectors, fed by three or four others, of which each
// is loaded once. Weights are [input][unit], so that slopes come out as vectors as well.

#include "digits.hpp"
#include "moons.hpp"

// The names that peers.py calls. 25 vectors of float64 are 100 samples, and go into 1,000 and 10,000 without a rest.
#define EXPORT(T, NAME)                                                                                               \
    void moons16_##NAME(long steps, long samples, const T* x, const T* y, T* weights, T rate, T l2) {                 \
        by_samples::moons<T, 16, 25>(steps, samples, x, y, weights, rate, l2);                                        \
    }                                                                                                                 \
    void moons64_##NAME(long steps, long samples, const T* x, const T* y, T* weights, T rate, T l2) {                 \
        by_samples::moons<T, 64, 25>(steps, samples, x, y, weights, rate, l2);                                        \
    }                                                                                                                 \
    void digits_##NAME(long steps, const T* x, const int64_t* y, const int64_t* batches, long n, T* weights, T rate) { \
        by_units::digits<T>(steps, x, y, batches, n, weights, rate);                                                  \
    }                                                                                                                 \
    long peak_##NAME(long rounds) {                                                                                   \
        volatile T keep = peak<T>(rounds);                                                                            \
        (void)keep;                                                                                                   \
        return rounds * 10 * 2 * LANES<T>;                                                                            \
    }

extern "C" {
EXPORT(double, float64)
EXPORT(float, float32)
}

// Vectors of numbers, for moons.hpp and digits.hpp: GCC's vector extension, sums over lanes, and an exponential.

#pragma once

#include <cstdint>
#include <cstring>

#if defined(__AVX512F__)
constexpr int BYTES = 64;
#elif defined(__AVX__)
constexpr int BYTES = 32;
#else
constexpr int BYTES = 16;
#endif

#define INLINE inline __attribute__((always_inline))
#define UNROLL _Pragma("GCC unroll 16")

template <class T> struct Kind;
template <> struct Kind<double> {
    typedef double Vector __attribute__((vector_size(BYTES)));
    typedef int64_t Integers __attribute__((vector_size(BYTES)));
    static constexpr double ROUND = 0x1.8p52, LN2_HIGH = 0x1.62e42feep-1, LN2_LOW = 0x1.a39ef35793c76p-33;
    static constexpr int MANTISSA = 52, DEGREE = 13, LEAST = -700;
};
template <> struct Kind<float> {
    typedef float Vector __attribute__((vector_size(BYTES)));
    typedef int32_t Integers __attribute__((vector_size(BYTES)));
    static constexpr float ROUND = 0x1.8p23f, LN2_HIGH = 0x1.62e4p-1f, LN2_LOW = 0x1.7f7d1cp-20f;
    static constexpr int MANTISSA = 23, DEGREE = 7, LEAST = -87;
};
template <class T> using Vec = typename Kind<T>::Vector;
template <class T> constexpr int LANES = BYTES / sizeof(T);

template <int N> struct Count { static constexpr int value = N; };

// A vector that, once loaded, stays in its register: GCC would rather load it again for each use.
template <class V> INLINE V hold(V v) {
#if defined(__x86_64__)
    asm("" : "+x"(v));
#endif
    return v;
}

// A vector of one number in all lanes.
template <class T> INLINE Vec<T> fill(T number) { return number - Vec<T>{}; }

// Call work(Count<MOST>(), at) for `at` = 0, MOST, ... and end with counts of 3, 2, 1 that make `n`; 4 is 2 + 2.
template <int MOST, class Work> INLINE void split(int n, Work work) {
    int at = 0;
    for (; n - at >= MOST && !(MOST == 3 && n - at == 4); at += MOST) work(Count<MOST>(), at);
    if constexpr (MOST > 3)
        for (; n - at >= 3 && n - at != 4; at += 3) work(Count<3>(), at);
    if constexpr (MOST > 2)
        for (; n - at >= 2; at += 2) work(Count<2>(), at);
    if constexpr (MOST > 1)
        for (; n - at >= 1; at += 1) work(Count<1>(), at);
}

// Add the sum over the lanes of each of four vectors to one of four numbers.
template <class T> INLINE void add_lanes(const Vec<T> (&v)[4], T* to) {
    constexpr int L = LANES<T>;
    typename Kind<T>::Integers ones, twos;  // interleave two vectors by single lanes, and by pairs of lanes
    UNROLL
    for (int i = 0; i < L; ++i) {
        ones[i] = (i & ~1) + (i & 1) * L;
        twos[i] = (i & ~3) + (i & 1) + (i & 2) / 2 * L;
    }
    Vec<T> a = __builtin_shuffle(v[0], v[1], ones) + __builtin_shuffle(v[0], v[1], ones + 1);
    Vec<T> b = __builtin_shuffle(v[2], v[3], ones) + __builtin_shuffle(v[2], v[3], ones + 1);
    if constexpr (L == 2) {
        to[0] += a[0], to[1] += a[1], to[2] += b[0], to[3] += b[1];
    } else {
        Vec<T> c = __builtin_shuffle(a, b, twos) + __builtin_shuffle(a, b, twos + 2);
        UNROLL
        for (int i = 0; i < 4; ++i) {
            T sum = c[i];
            for (int group = 4; group < L; group += 4) sum += c[group + i];
            to[i] += sum;
        }
    }
}

template <class T> INLINE T add_lanes(Vec<T> v) {
    T sum = 0;
    UNROLL
    for (int i = 0; i < LANES<T>; ++i) sum += v[i];
    return sum;
}

// e to the power of x <= 0, to the last bit or two.
template <class T> INLINE Vec<T> exp(Vec<T> x) {
    using K = Kind<T>;
    x = x < T(K::LEAST) ? Vec<T>{} + T(K::LEAST) : x;
    Vec<T> shifted = x * T(1.4426950408889634074) + K::ROUND, n = shifted - K::ROUND;
    Vec<T> r = (x - n * K::LN2_HIGH) - n * K::LN2_LOW, sum = {};
    double factorial = 1;
    for (int k = 2; k <= K::DEGREE; ++k) factorial *= k;
    UNROLL
    for (int k = K::DEGREE; k >= 0; --k) {
        sum = sum * r + T(1 / factorial);
        factorial /= k ? k : 1;
    }
    typename K::Integers bits, power;
    std::memcpy(&bits, &sum, BYTES);
    std::memcpy(&power, &shifted, BYTES);
    bits += power << K::MANTISSA;
    std::memcpy(&sum, &bits, BYTES);
    return sum;
}

// Multiply-adds that wait for nothing but themselves, in as many chains as hide their latency: the machine's peak.
template <class T> T peak(long rounds) {
    Vec<T> half = hold(Vec<T>{} + T(0.5)), a{}, b{}, c{}, d{}, e{}, f{}, g{}, h{}, i{}, j{};
    for (long round = 0; round < rounds; ++round) {
        a = a * half + half, b = b * half + half, c = c * half + half, d = d * half + half, e = e * half + half;
        f = f * half + half, g = g * half + half, h = h * half + half, i = i * half + half, j = j * half + half;
    }
    return add_lanes<T>(a + b + c + d + e + f + g + h + i + j);
}

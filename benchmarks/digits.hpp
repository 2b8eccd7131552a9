// Adam on the digits. The lanes of a vector are units of a layer: all six products of a step are then one kernel,
// C = A B with A read number by number, from wherever it lies, and no sum runs over lanes.

#pragma once

#include <cmath>
#include <memory>

#include "vectors.hpp"

namespace by_units {

// Hand finish(row, vector, sum) each vector of C[ROWS][COLUMNS] = A[ROWS][N] B[N][COLUMNS], where A[r][n] stands in
// a[r * AR + n * AN].
template <class T, int ROWS, int COLUMNS, int N, int AR, int AN, class Finish>
INLINE void product(const T* a, const Vec<T>* b, Finish finish) {
    constexpr int WIDE = COLUMNS % 4 == 0 ? 4 : COLUMNS < 4 ? COLUMNS : 1, HIGH = 12 / WIDE;
    for (int c = 0; c < COLUMNS; c += WIDE)
        split<HIGH>(ROWS, [&](auto count, int r) {
            constexpr int R = decltype(count)::value;
            Vec<T> sum[R][WIDE] = {};
            for (int n = 0; n < N; ++n) {
                auto from_a = [&](int i) { return hold(fill(a[(r + i) * AR + n * AN])); };
                auto from_b = [&](int j) { return hold(b[n * COLUMNS + c + j]); };
                if constexpr (WIDE == 4) {  // sixteen registers: the sums, one side, and the other one by one
                    Vec<T> side[R];
                    UNROLL
                    for (int i = 0; i < R; ++i) side[i] = from_a(i);
                    UNROLL
                    for (int j = 0; j < WIDE; ++j) {
                        Vec<T> one = from_b(j);
                        UNROLL
                        for (int i = 0; i < R; ++i) sum[i][j] += side[i] * one;
                    }
                } else {
                    Vec<T> side[WIDE];
                    UNROLL
                    for (int j = 0; j < WIDE; ++j) side[j] = from_b(j);
                    UNROLL
                    for (int i = 0; i < R; ++i) {
                        Vec<T> one = from_a(i);
                        UNROLL
                        for (int j = 0; j < WIDE; ++j) sum[i][j] += one * side[j];
                    }
                }
            }
            UNROLL
            for (int i = 0; i < R; ++i) UNROLL
                for (int j = 0; j < WIDE; ++j) finish(r + i, c + j, sum[i][j]);
        });
}

constexpr int SAMPLES = 64;  // of a mini-batch

// A layer of IN inputs and OUT units, in whole vectors. The last row of w holds the biases, the last input is 1.
template <class T, int IN, int OUT> struct Layer {
    using V = Vec<T>;
    static constexpr int L = LANES<T>, WIDE = (OUT + L - 1) / L, ROW = IN + L, UNITS = WIDE * L;
    alignas(64) V w[(IN + 1) * WIDE], slope[(IN + 1) * WIDE], mean[(IN + 1) * WIDE], square[(IN + 1) * WIDE];
    alignas(64) T x[SAMPLES * ROW];  // the inputs, of which vectors are written and numbers read
    V dy[SAMPLES * WIDE];            // the slopes by the outputs

    T& weight(int in, int unit) { return ((T*)w)[in * UNITS + unit]; }

    template <class Finish> INLINE void forward(Finish finish) const {
        product<T, SAMPLES, WIDE, IN + 1, ROW, 1>(x, w, finish);
    }

    // The slopes by the inputs, where the input is above 0.
    INLINE void back(V* dx) const {
        constexpr int HIGH = IN / L;
        alignas(64) V turned[OUT * HIGH];
        for (int i = 0; i < IN; ++i)
            for (int o = 0; o < OUT; ++o) ((T*)turned)[o * IN + i] = ((const T*)w)[i * UNITS + o];
        product<T, SAMPLES, HIGH, OUT, UNITS, 1>((const T*)dy, turned, [&](int n, int v, V sum) {
            dx[n * HIGH + v] = *(const V*)(x + n * ROW + v * L) > 0 ? sum : V{};
        });
    }

    INLINE void slopes() {
        product<T, IN + 1, WIDE, SAMPLES, 1, ROW>(x, dy, [&](int i, int v, V sum) { slope[i * WIDE + v] = sum; });
    }

    INLINE void update(T size, T root) {
        T *w = (T*)this->w, *slope = (T*)this->slope, *mean = (T*)this->mean, *square = (T*)this->square;
        for (int i = 0; i < (IN + 1) * UNITS; ++i) {
            mean[i] += T(1 - 0.9) * (slope[i] - mean[i]);
            square[i] = T(0.999) * square[i] + T(1 - 0.999) * (slope[i] * slope[i]);
            w[i] -= size * mean[i] / (std::sqrt(square[i]) * root + T(1e-8));
        }
    }

    // Read or write the weights as the caller has them: [OUT][IN], then the biases.
    template <class Move> void each(T*& theirs, Move move) {
        for (int o = 0; o < OUT; ++o)
            for (int i = 0; i < IN; ++i) move(weight(i, o), *theirs++);
        for (int o = 0; o < OUT; ++o) move(weight(IN, o), *theirs++);
    }
};

template <class T> struct Net {
    using V = Vec<T>;
    static constexpr int L = LANES<T>, CLASSES = 10;
    Layer<T, 64, 64> first = {};
    Layer<T, 64, 32> second = {};
    Layer<T, 32, CLASSES> third = {};

    explicit Net(T* weights) {
        each(weights, [](T& ours, T& theirs) { ours = theirs; });
        for (int n = 0; n < SAMPLES; ++n)
            first.x[n * first.ROW + 64] = second.x[n * second.ROW + 64] = third.x[n * third.ROW + 32] = 1;
    }

    template <class Move> void each(T* weights, Move move) {
        first.each(weights, move), second.each(weights, move), third.each(weights, move);
    }

    // softmax(scores) - [its class], of each sample, divided by their number.
    INLINE void blame(const int64_t* labels, const int64_t* batch) {
        constexpr int WIDE = third.WIDE;
        V real[WIDE];  // 1 for a class, 0 for the lanes after the last
        for (int lane = 0; lane < WIDE * L; ++lane) real[lane / L][lane % L] = lane < CLASSES;
        for (int n = 0; n < SAMPLES; ++n) {
            V *scores = third.dy + n * WIDE, sum = {};
            T most = scores[0][0];
            UNROLL
            for (int c = 1; c < CLASSES; ++c) most = scores[c / L][c % L] > most ? scores[c / L][c % L] : most;
            UNROLL
            for (int v = 0; v < WIDE; ++v) sum += scores[v] = real[v] * exp<T>(scores[v] - most);
            T scale = 1 / (add_lanes<T>(sum) * SAMPLES);
            UNROLL
            for (int v = 0; v < WIDE; ++v) scores[v] *= scale;
            ((T*)scores)[labels[batch[n]]] -= T(1) / SAMPLES;
        }
    }

    void step(const T* x, const int64_t* labels, const int64_t* batch, T size, T root) {
        for (int n = 0; n < SAMPLES; ++n) std::memcpy(first.x + n * first.ROW, x + batch[n] * 64, 64 * sizeof(T));
        auto relu_into = [](auto& next) {
            return [&next](int n, int v, V y) { *(V*)(next.x + n * next.ROW + v * L) = y > 0 ? y : V{}; };
        };
        first.forward(relu_into(second));
        second.forward(relu_into(third));
        third.forward([&](int n, int v, V y) { third.dy[n * third.WIDE + v] = y; });
        blame(labels, batch);
        third.back(second.dy), second.back(first.dy);
        third.slopes(), second.slopes(), first.slopes();
        third.update(size, root), second.update(size, root), first.update(size, root);
    }
};

// Adam on mean softmax cross-entropy; x is [samples][64]. Step t takes the rows batches[t % n_batches].
template <class T>
void digits(long steps, const T* x, const int64_t* labels, const int64_t* batches, long n_batches, T* weights, T rate) {
    auto net = std::make_unique<Net<T>>(weights);
    double fade1 = 1, fade2 = 1;
    for (long t = 0; t < steps; ++t) {
        fade1 *= 0.9, fade2 *= 0.999;
        net->step(x, labels, batches + t % n_batches * SAMPLES, rate / (1 - fade1), 1 / std::sqrt(1 - fade2));
    }
    net->each(weights, [](T& ours, T& theirs) { theirs = ours; });
}

}  // namespace by_units

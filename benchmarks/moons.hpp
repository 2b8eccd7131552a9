// Gradient descent on the moons. The lanes of a vector are samples. A tile of the batch goes through all layers,
// forward and back, before the next one starts, so that its activations stay in the cache.

#pragma once

#include <cstring>
#include <memory>
#include <vector>

#include "vectors.hpp"

namespace by_samples {

// A layer. Weights and slopes are [IN + 1][OUT], the last row the biases; activations are [units][TILE] vectors.
template <class T, int IN, int OUT, int TILE> struct Layer {
    static constexpr int SIZE = (IN + 1) * OUT;
    using V = Vec<T>;
    T* w;
    T* slope;

    template <int O, class Finish> INLINE void forward_units(int o, const V* x, int n, Finish finish) const {
        split<12 / O>(n, [&](auto count, int v) {
            constexpr int VS = decltype(count)::value;
            V sum[O][VS];
            UNROLL
            for (int i = 0; i < O; ++i) UNROLL
                for (int j = 0; j < VS; ++j) sum[i][j] = V{} + w[IN * OUT + o + i];
            for (int k = 0; k < IN; ++k) {
                V in[VS];
                UNROLL
                for (int j = 0; j < VS; ++j) in[j] = O > 2 ? hold(x[k * TILE + v + j]) : x[k * TILE + v + j];
                UNROLL
                for (int i = 0; i < O; ++i) UNROLL
                    for (int j = 0; j < VS; ++j) sum[i][j] += w[k * OUT + o + i] * in[j];
            }
            UNROLL
            for (int i = 0; i < O; ++i) UNROLL
                for (int j = 0; j < VS; ++j) finish(o + i, v + j, sum[i][j]);
        });
    }

    // y = W x + b, handed to finish(unit, vector, y).
    template <class Finish> INLINE void forward(const V* x, int n, Finish finish) const {
        for (int o = 0; o + 4 <= OUT; o += 4) forward_units<4>(o, x, n, finish);
        if constexpr (OUT % 4) forward_units<OUT % 4>(OUT - OUT % 4, x, n, finish);
    }

    // dx = relu'(x) W' dy.
    INLINE void back(const V* dy, const V* x, V* dx, int n) const {
        static_assert(IN % 4 == 0);
        for (int o = 0; o < IN; o += 4)
            split<3>(n, [&](auto count, int v) {
                constexpr int VS = decltype(count)::value;
                V sum[4][VS] = {};
                for (int k = 0; k < OUT; ++k) {
                    V in[VS];
                    UNROLL
                    for (int j = 0; j < VS; ++j) in[j] = hold(dy[k * TILE + v + j]);
                    UNROLL
                    for (int i = 0; i < 4; ++i) UNROLL
                        for (int j = 0; j < VS; ++j) sum[i][j] += w[(o + i) * OUT + k] * in[j];
                }
                UNROLL
                for (int i = 0; i < 4; ++i) UNROLL
                    for (int j = 0; j < VS; ++j) {
                        int at = (o + i) * TILE + v + j;
                        dx[at] = x[at] > 0 ? sum[i][j] : V{};
                    }
            });
    }

    template <int O, int IS, bool BIAS> INLINE void add_block(int o, int at, const V* dy, const V* x, int n) {
        V sum[IS + BIAS][O] = {};
        for (int v = 0; v < n; ++v) {
            V in[IS];
            UNROLL
            for (int i = 0; i < IS; ++i) in[i] = O > 2 ? hold(x[(at + i) * TILE + v]) : x[(at + i) * TILE + v];
            UNROLL
            for (int j = 0; j < O; ++j) {
                V d = O > 2 ? hold(dy[(o + j) * TILE + v]) : dy[(o + j) * TILE + v];
                UNROLL
                for (int i = 0; i < IS; ++i) sum[i][j] += d * in[i];
                if constexpr (BIAS) sum[IS][j] += d;
            }
        }
        UNROLL
        for (int i = 0; i < IS + BIAS; ++i) {
            T* to = slope + (i < IS ? at + i : IN) * OUT + o;
            if constexpr (O == 4)
                add_lanes<T>(sum[i], to);
            else
                UNROLL
                for (int j = 0; j < O; ++j) to[j] += add_lanes<T>(sum[i][j]);
        }
    }

    template <int O> INLINE void add_units(int o, const V* dy, const V* x, int n) {
        add_block<O, 2, true>(o, 0, dy, x, n);
        if constexpr (IN > 2)
            split<12 / O>(IN - 2, [&](auto count, int i) {
                add_block<O, decltype(count)::value, false>(o, i + 2, dy, x, n);
            });
    }

    // Add dy x', summed over the tile, to the slopes.
    INLINE void add_slopes(const V* dy, const V* x, int n) {
        for (int o = 0; o + 4 <= OUT; o += 4) add_units<4>(o, dy, x, n);
        if constexpr (OUT % 4) add_units<OUT % 4>(OUT - OUT % 4, dy, x, n);
    }
};

// Three layers and the scratch for a tile of the batch.
template <class T, int A, int B, int C, int D, int TILE> struct Net {
    using V = Vec<T>;
    Layer<T, A, B, TILE> first;
    Layer<T, B, C, TILE> second;
    Layer<T, C, D, TILE> third;
    static constexpr int SIZE = decltype(first)::SIZE + decltype(second)::SIZE + decltype(third)::SIZE;
    alignas(64) T w[SIZE], slope[SIZE];
    V h1[B * TILE], h2[C * TILE], d1[B * TILE], d2[C * TILE], scores[D * TILE];

    explicit Net(const T* weights) {
        T *to = w, *s = slope;
        auto place = [&](auto& layer, int in, int out) {
            for (int o = 0; o < out; ++o)
                for (int i = 0; i < in; ++i) to[i * out + o] = *weights++;
            for (int o = 0; o < out; ++o) to[in * out + o] = *weights++;
            layer.w = to, layer.slope = s;
            to += (in + 1) * out, s += (in + 1) * out;
        };
        place(first, A, B), place(second, B, C), place(third, C, D);
    }

    void store(T* weights) const {
        const T* from = w;
        auto take = [&](int in, int out) {
            for (int o = 0; o < out; ++o)
                for (int i = 0; i < in; ++i) *weights++ = from[i * out + o];
            for (int o = 0; o < out; ++o) *weights++ = from[in * out + o];
            from += (in + 1) * out;
        };
        take(A, B), take(B, C), take(C, D);
    }

    // Add the slopes over `n` vectors of samples; `blame` turns scores into the slopes by the scores, in place.
    template <class Blame> void add_slopes(const V* x, int n, Blame blame) {
        first.forward(x, n, [&](int o, int v, V y) { h1[o * TILE + v] = y > 0 ? y : V{}; });
        second.forward(h1, n, [&](int o, int v, V y) { h2[o * TILE + v] = y > 0 ? y : V{}; });
        third.forward(h2, n, [&](int o, int v, V y) { scores[o * TILE + v] = y; });
        blame(scores);
        third.back(scores, h2, d2, n);
        third.add_slopes(scores, h2, n);
        second.back(d2, h1, d1, n);
        second.add_slopes(d2, h1, n);
        first.add_slopes(d1, x, n);
    }
};

// Full-batch gradient descent on mean hinge(1 - y score) + l2 * sum of squares; x is [samples][2], y -1 or 1.
template <class T, int HIDDEN, int TILE>
void moons(long steps, long samples, const T* x, const T* y, T* weights, T rate, T l2) {
    using V = Vec<T>;
    constexpr int L = LANES<T>;
    auto net = std::make_unique<Net<T, 2, HIDDEN, HIDDEN, 1, TILE>>(weights);
    long vectors = (samples + L - 1) / L, tiles = (vectors + TILE - 1) / TILE;
    std::vector<V> points(tiles * TILE * 2), labels(tiles * TILE);  // a label of 0, in the last lanes, has no slope
    for (long n = 0; n < samples; ++n) {
        long v = n / L, tile = v / TILE;
        for (int i = 0; i < 2; ++i) points[tile * 2 * TILE + i * TILE + v % TILE][n % L] = x[n * 2 + i];
        labels[v][n % L] = y[n];
    }
    T share = T(1) / samples;
    for (long step = 0; step < steps; ++step) {
        std::memset(net->slope, 0, sizeof net->slope);
        for (long at = 0; at < vectors; at += TILE) {
            int n = vectors - at < TILE ? vectors - at : TILE;
            net->add_slopes(&points[at * 2], n, [&](V* scores) {
                for (int v = 0; v < n; ++v) {
                    V label = labels[at + v];
                    scores[v] = label * scores[v] < 1 ? -share * label : V{};
                }
            });
        }
        for (int i = 0; i < net->SIZE; ++i) net->w[i] -= rate * (net->slope[i] + 2 * l2 * net->w[i]);
    }
    net->store(weights);
}

}  // namespace by_samples

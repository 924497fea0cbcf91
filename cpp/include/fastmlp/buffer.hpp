/// Cache-line aligned memory that never moves, owned or part of another buffer.
#pragma once

#include <algorithm>
#include <cstddef>
#include <limits>
#include <memory>
#include <new>
#include <utility>

#include "fastmlp/export.h"
#include "fastmlp/interruption.hpp"

namespace fastmlp {

/// Memory for a `Buffer`, which may be that of an earlier one; null if there is none.
FASTMLP_API void* allocate_buffer(std::size_t bytes) noexcept;
FASTMLP_API void release_buffer(void* memory, std::size_t bytes) noexcept;

/// a * b; throws std::bad_alloc on overflow. Used for all sizes from outside.
inline std::size_t checked_multiply(std::size_t a, std::size_t b) {
    if (b != 0 && a > std::numeric_limits<std::size_t>::max() / b) throw std::bad_alloc();
    return a * b;
}

inline std::size_t checked_add(std::size_t a, std::size_t b) {
    if (a > std::numeric_limits<std::size_t>::max() - b) throw std::bad_alloc();
    return a + b;
}

template <class T>
class Buffer {
public:
    /// Kernels may read this many elements past the end (never write).
    static constexpr std::size_t kSlack = 64;

    Buffer() = default;
    /// Zeroed.
    explicit Buffer(std::size_t size) : Buffer(size, 0) {}
    /// For a caller that sets all elements: they have any values until then.
    static Buffer unset(std::size_t size) { return {size, size}; }
    /// Elements first to first + size - 1 of `whole`, live.
    Buffer(std::shared_ptr<Buffer> whole, std::size_t first, std::size_t size)
        : data_(whole->data() + first), size_(size), whole_(std::move(whole)) {}
    ~Buffer() {
        if (!whole_) release_buffer(data_, (size_ + kSlack) * sizeof(T));
    }
    Buffer(const Buffer&) = delete;
    Buffer& operator=(const Buffer&) = delete;
    Buffer(Buffer&& other) noexcept { swap(other); }
    Buffer& operator=(Buffer&& other) noexcept {
        swap(other);
        return *this;
    }

    T* data() { return data_; }
    const T* data() const { return data_; }
    std::size_t size() const { return size_; }
    /// A range, so that std::span<T>(buffer) works.
    T* begin() { return data_; }
    T* end() { return data_ + size_; }
    const T* begin() const { return data_; }
    const T* end() const { return data_ + size_; }
    T& operator[](std::size_t i) { return data_[i]; }
    const T& operator[](std::size_t i) const { return data_[i]; }

private:
    static constexpr std::size_t kZeroedAtOnce = std::size_t{1} << 23;

    /// Zeroed from element `from` on, at least what may be read past the end.
    Buffer(std::size_t size, std::size_t from) : size_(size) {
        const std::size_t count = checked_add(size, kSlack);
        const std::size_t bytes = checked_multiply(count, sizeof(T));
        if (bytes > std::numeric_limits<std::size_t>::max() / 4) throw std::bad_alloc();
        data_ = static_cast<T*>(allocate_buffer(bytes));
        if (data_ == nullptr) throw std::bad_alloc();
        try {
            for (std::size_t first = from; first < count; first += kZeroedAtOnce) {
                if (first > from) look_for_interrupt();
                std::fill_n(data_ + first, std::min(kZeroedAtOnce, count - first), T(0));
            }
        } catch (...) {
            release_buffer(data_, bytes);
            throw;
        }
    }

    void swap(Buffer& other) noexcept {
        std::swap(data_, other.data_);
        std::swap(size_, other.size_);
        std::swap(whole_, other.whole_);
    }

    T* data_ = nullptr;
    std::size_t size_ = 0;
    std::shared_ptr<Buffer> whole_;  ///< whose part this is; null if it owns its memory
};

}  // namespace fastmlp

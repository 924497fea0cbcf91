// A separate file: if the compiler sees new and delete together, it warns about malloc and free.
// All forms that are not replaced here call one of these.
#include "allocations.hpp"

#include <cstdlib>
#include <limits>
#include <new>

namespace allocations {

std::atomic<std::size_t> count{0};
std::atomic<std::size_t> refused{std::numeric_limits<std::size_t>::max()};

namespace {

void* allocate(std::size_t bytes, std::size_t alignment) {
    const bool refuse = count++ == refused;
    const std::size_t whole = (bytes + alignment - 1) / alignment * alignment;
    void* const memory = refuse ? nullptr : std::aligned_alloc(alignment, whole);
    if (memory == nullptr) throw std::bad_alloc();
    return memory;
}

}  // namespace
}  // namespace allocations

void* operator new(std::size_t bytes) {
    return allocations::allocate(bytes, alignof(std::max_align_t));
}
void* operator new(std::size_t bytes, std::align_val_t alignment) {
    return allocations::allocate(bytes, static_cast<std::size_t>(alignment));
}
void operator delete(void* memory) noexcept {
    std::free(memory);
}
void operator delete(void* memory, std::size_t) noexcept {
    std::free(memory);
}
void operator delete(void* memory, std::align_val_t) noexcept {
    std::free(memory);
}
void operator delete(void* memory, std::size_t, std::align_val_t) noexcept {
    std::free(memory);
}

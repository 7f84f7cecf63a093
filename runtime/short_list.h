#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <initializer_list>
#include <iterator>
#include <memory>
#include <stdexcept>
#include <type_traits>
#include <utility>
#include <vector>

namespace gradmill {

/// A list that holds up to `N` elements in itself and takes memory for more: graphs and plans have
/// a few short ones for each node, and memory for each would be most of what building them costs.
///
/// Used as a std::vector is, and converts from and to one. What adds an element may move all of
/// them; moving the list moves those that it holds in itself. A call that throws leaves the list as
/// it was.
template <class T, std::uint32_t N>
class ShortList {
  static_assert(N > 0 && std::is_nothrow_move_constructible_v<T> &&
                std::is_nothrow_move_assignable_v<T>);
  static constexpr bool kBytes = std::is_trivially_copyable_v<T>;

 public:
  using value_type = T;
  using size_type = std::size_t;
  using difference_type = std::ptrdiff_t;
  using reference = T&;
  using const_reference = const T&;
  using iterator = T*;
  using const_iterator = const T*;

  ShortList() noexcept = default;
  ShortList(std::initializer_list<T> values) : ShortList(values.begin(), values.end()) {}
  ShortList(const std::vector<T>& values) : ShortList(values.begin(), values.end()) {}  // NOLINT
  // Delegating, so that what was made is destroyed when an element throws.
  ShortList(std::vector<T>&& values) : ShortList() {  // NOLINT
    reserve(values.size());
    for (T& value : values) push_back(std::move(value));
  }
  template <std::forward_iterator It>
  ShortList(It first, It last) : ShortList() {
    reserve(static_cast<std::size_t>(std::distance(first, last)));
    for (; first != last; ++first) push_back(*first);
  }
  ShortList(const ShortList& other) : ShortList() {
    if (kBytes && other.holds_inside()) {
      copy_inside(other);
    } else {
      reserve(other.size());
      for (const T& value : other) push_back(value);
    }
  }
  ShortList(ShortList&& other) noexcept { take(other); }
  ShortList& operator=(const ShortList& other) {
    if (this != &other) *this = ShortList(other);
    return *this;
  }
  ShortList& operator=(ShortList&& other) noexcept {
    if (this != &other) {
      release();
      take(other);
    }
    return *this;
  }
  ~ShortList() { release(); }

  operator std::vector<T>() const { return {begin(), end()}; }  // NOLINT

  std::size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }
  std::size_t capacity() const { return capacity_; }
  T* data() { return holds_inside() ? inside() : storage_.outside; }
  const T* data() const { return const_cast<ShortList*>(this)->data(); }
  T* begin() { return data(); }
  T* end() { return data() + size_; }
  const T* begin() const { return data(); }
  const T* end() const { return data() + size_; }
  T& operator[](std::size_t index) { return data()[index]; }
  const T& operator[](std::size_t index) const { return data()[index]; }
  /// Throws std::out_of_range.
  T& at(std::size_t index) { return data()[checked(index)]; }
  const T& at(std::size_t index) const { return data()[checked(index)]; }
  T& front() { return *begin(); }
  const T& front() const { return *begin(); }
  T& back() { return end()[-1]; }
  const T& back() const { return end()[-1]; }

  void reserve(std::size_t capacity) {
    if (capacity > capacity_) move_outside(capacity);
  }
  void push_back(T value) {  // by value: it may be one of the list's own
    if (size_ == capacity_) move_outside(std::size_t{2} * capacity_);
    std::construct_at(end(), std::move(value));
    ++size_;
  }
  void pop_back() {
    --size_;
    std::destroy_at(end());
  }
  T* insert(const T* place, T value) {
    const std::ptrdiff_t index = place - begin();
    push_back(std::move(value));
    std::rotate(begin() + index, end() - 1, end());
    return begin() + index;
  }
  T* erase(const T* place) { return erase(place, place + 1); }
  T* erase(const T* first, const T* last) {
    T* const hole = begin() + (first - begin());
    if (first == last) return hole;  // an element moved onto itself may be empty
    T* const rest = std::move(hole + (last - first), end(), hole);
    std::destroy(rest, end());
    size_ -= static_cast<std::uint32_t>(last - first);
    return hole;
  }
  /// Keeps the memory.
  void clear() {
    std::destroy(begin(), end());
    size_ = 0;
  }

  friend bool operator==(const ShortList& a, const ShortList& b) {
    return std::equal(a.begin(), a.end(), b.begin(), b.end());
  }

 private:
  union Storage {
    T* outside;
    alignas(T) std::byte inside[N * sizeof(T)] = {};  // copied as a whole, used or not
  };

  std::size_t checked(std::size_t index) const {
    if (index >= size_) throw std::out_of_range("ShortList::at");
    return index;
  }

  bool holds_inside() const { return capacity_ == N; }
  T* inside() { return reinterpret_cast<T*>(storage_.inside); }

  // A whole block of fixed size is copied faster than what is used of it.
  void copy_inside(const ShortList& other) noexcept {
    std::memcpy(storage_.inside, other.storage_.inside, sizeof(storage_.inside));
    size_ = other.size_;
  }

  void move_outside(std::size_t capacity) {
    T* const memory = std::allocator<T>().allocate(capacity);
    std::uninitialized_move(begin(), end(), memory);
    std::destroy(begin(), end());
    free_outside();
    storage_.outside = memory;
    capacity_ = static_cast<std::uint32_t>(capacity);
  }

  void free_outside() noexcept {
    if (!holds_inside()) std::allocator<T>().deallocate(storage_.outside, capacity_);
  }

  void release() noexcept {
    std::destroy(begin(), end());
    free_outside();
    size_ = 0;
    capacity_ = N;
  }

  // Of a list that is empty and has no memory; leaves `other` so.
  void take(ShortList& other) noexcept {
    if (!other.holds_inside()) {
      storage_.outside = other.storage_.outside;
      capacity_ = std::exchange(other.capacity_, N);
      size_ = std::exchange(other.size_, 0);
    } else if constexpr (kBytes) {
      copy_inside(other);
      other.size_ = 0;
    } else {
      std::uninitialized_move(other.begin(), other.end(), inside());
      size_ = other.size_;
      other.clear();
    }
  }

  std::uint32_t size_ = 0;
  std::uint32_t capacity_ = N;
  Storage storage_;
};

}  // namespace gradmill

#include <gradmill/runtime/short_list.h>

#include <memory>
#include <numeric>
#include <ranges>
#include <span>
#include <stdexcept>
#include <string>
#include <vector>

#include <gmock/gmock.h>

namespace gradmill {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

using Texts = ShortList<std::string, 2>;

// Too long for a string to hold in itself, so that a leak or a double free is seen.
std::string text(int number) { return std::string(40, 'x') + std::to_string(number); }

// Of 0 up to `count` elements: none, some and all of those held inside, and more.
class ShortListTest : public ::testing::TestWithParam<int> {
 protected:
  ShortListTest() {
    for (int i = 0; i < GetParam(); ++i) expected_.push_back(text(i));
    list_ = expected_;
  }

  std::vector<std::string> expected_;
  Texts list_;
};

TEST_P(ShortListTest, HoldsWhatWasPutIn) {
  Texts pushed;
  for (const std::string& value : expected_) pushed.push_back(value);
  EXPECT_EQ(pushed, expected_);
  EXPECT_EQ(list_, expected_);
  EXPECT_EQ(list_.size(), expected_.size());
  EXPECT_EQ(list_.empty(), expected_.empty());
  EXPECT_THROW(list_.at(expected_.size()), std::out_of_range);
  if (expected_.empty()) return;
  EXPECT_EQ(list_.at(expected_.size() - 1), expected_.back());
  EXPECT_EQ(list_.front(), expected_.front());
  EXPECT_EQ(list_.back(), expected_.back());
  EXPECT_EQ(list_[list_.size() / 2], expected_[list_.size() / 2]);
}

TEST_P(ShortListTest, ConvertsToAndFromAVector) {
  const std::vector<std::string> vector = list_;
  EXPECT_EQ(vector, expected_);
  EXPECT_EQ(Texts(std::vector(vector)), expected_);
  const std::span<const std::string> span = list_;
  EXPECT_TRUE(std::ranges::equal(span, expected_));
}

TEST_P(ShortListTest, CopiesAreApart) {
  Texts copy = list_;
  EXPECT_EQ(copy, list_);
  copy.push_back("more");
  EXPECT_EQ(list_, expected_);
  EXPECT_NE(copy, list_);
}

TEST_P(ShortListTest, MovesLeaveNothing) {
  Texts moved = std::move(list_);
  EXPECT_EQ(moved, expected_);
  EXPECT_THAT(list_, IsEmpty());
  list_.push_back("again");
  EXPECT_THAT(list_, ElementsAre("again"));
}

TEST_P(ShortListTest, IsAssignedToListsOfAnySize) {
  for (const int size : {0, 1, 2, 3, 9}) {
    Texts copied;
    for (int i = 0; i < size; ++i) copied.push_back(text(100 + i));
    Texts moved = copied;
    copied = list_;
    EXPECT_EQ(copied, expected_);
    moved = std::move(copied);
    EXPECT_EQ(moved, expected_);
    EXPECT_THAT(copied, IsEmpty());  // NOLINT(bugprone-use-after-move)
  }
}

TEST_P(ShortListTest, IsAssignedToItself) {
  Texts& self = list_;
  list_ = self;
  EXPECT_EQ(list_, expected_);
  list_ = std::move(self);
  EXPECT_EQ(list_, expected_);
}

TEST_P(ShortListTest, InsertsAndErasesAtEveryPlace) {
  for (std::size_t place = 0; place <= expected_.size(); ++place) {
    Texts list = list_;
    std::vector<std::string> vector = expected_;
    const auto index = static_cast<std::ptrdiff_t>(place);
    EXPECT_EQ(list.insert(list.begin() + index, "new") - list.begin(), index);
    vector.insert(vector.begin() + index, "new");
    EXPECT_EQ(list, vector);
    EXPECT_EQ(list.erase(list.begin() + index) - list.begin(), index);
    EXPECT_EQ(list, expected_);
  }
}

TEST_P(ShortListTest, ErasesEveryRange) {
  for (std::size_t first = 0; first <= expected_.size(); ++first) {
    for (std::size_t last = first; last <= expected_.size(); ++last) {
      Texts list = list_;
      std::vector<std::string> vector = expected_;
      const auto begin = static_cast<std::ptrdiff_t>(first);
      const auto end = static_cast<std::ptrdiff_t>(last);
      EXPECT_EQ(list.erase(list.begin() + begin, list.begin() + end) - list.begin(), begin);
      vector.erase(vector.begin() + begin, vector.begin() + end);
      EXPECT_EQ(list, vector);
    }
  }
}

TEST_P(ShortListTest, TakesAnElementOfItsOwn) {
  if (expected_.empty()) return;
  for (int i = 0; i < 5; ++i) {
    list_.push_back(list_.front());
    expected_.push_back(std::string(expected_.front()));
    list_.insert(list_.begin(), list_.back());
    expected_.insert(expected_.begin(), std::string(expected_.back()));
  }
  EXPECT_EQ(list_, expected_);
}

TEST_P(ShortListTest, KeepsItsMemoryWhenCleared) {
  const std::size_t capacity = list_.capacity();
  list_.clear();
  EXPECT_THAT(list_, IsEmpty());
  EXPECT_EQ(list_.capacity(), capacity);
  list_ = expected_;
  list_.reserve(20);
  EXPECT_EQ(list_, expected_);
  EXPECT_GE(list_.capacity(), 20U);
}

TEST_P(ShortListTest, HoldsWhatOnlyMoves) {
  ShortList<std::unique_ptr<int>, 2> list;
  for (int i = 0; i < GetParam(); ++i) list.push_back(std::make_unique<int>(i));
  const auto moved = std::move(list);
  ASSERT_EQ(moved.size(), expected_.size());
  for (int i = 0; i < GetParam(); ++i) EXPECT_EQ(*moved[static_cast<std::size_t>(i)], i);
}

TEST_P(ShortListTest, HoldsNumbers) {
  std::vector<int> expected(expected_.size());
  std::iota(expected.begin(), expected.end(), 5);
  ShortList<int, 2> list = expected;
  const ShortList<int, 2> copy = list;
  const ShortList<int, 2> moved = std::move(list);
  EXPECT_EQ(copy, expected);
  EXPECT_EQ(moved, expected);
  EXPECT_THAT(list, IsEmpty());  // NOLINT(bugprone-use-after-move)
}

INSTANTIATE_TEST_SUITE_P(Sizes, ShortListTest, ::testing::Values(0, 1, 2, 3, 4, 5, 17));

// Throws when the last of a countdown is copied, and counts how many there are.
struct Fragile {
  explicit Fragile(int how_many) : number(how_many) { ++alive; }
  Fragile(const Fragile& other) : number(other.number) {
    if (copies_left-- == 0) throw std::runtime_error("no copy");
    ++alive;
  }
  Fragile(Fragile&& other) noexcept : number(other.number) { ++alive; }
  Fragile& operator=(const Fragile&) = default;
  Fragile& operator=(Fragile&&) noexcept = default;
  ~Fragile() { --alive; }

  int number;
  static inline int alive = 0;
  static inline int copies_left = 0;
};

TEST(ShortListFailureTest, AThrowingCopyLeavesListsAsTheyWere) {
  for (const int size : {1, 2, 3, 6}) {
    ShortList<Fragile, 2> list;
    for (int i = 0; i < size; ++i) list.push_back(Fragile(i));
    ShortList<Fragile, 2> other;
    other.push_back(Fragile(7));
    for (int copies = 0; copies < size; ++copies) {
      Fragile::copies_left = copies;
      EXPECT_THROW(other = list, std::runtime_error);
      ASSERT_EQ(other.size(), 1U);
      EXPECT_EQ(other[0].number, 7);
      EXPECT_EQ(Fragile::alive, size + 1);
    }
    Fragile::copies_left = 0;
    EXPECT_THROW(list.push_back(other[0]), std::runtime_error);
    EXPECT_EQ(list.size(), static_cast<std::size_t>(size));
  }
  EXPECT_EQ(Fragile::alive, 0);
}

}  // namespace
}  // namespace gradmill

#include <gradmill/ops/attention/kernel.h>

#include <algorithm>
#include <cstddef>
#include <utility>

#include <gradmill/ops/attention/backward_loops.h>
#include <gradmill/ops/attention/forward_loops.h>
#include <gradmill/ops/tiles/block_layout.h>
#include <gradmill/ops/tiles/divide_up.h>
#include <gradmill/ops/tiles/stages.h>
#include <gradmill/runtime/error.h>

namespace gradmill {
namespace {

std::int64_t offset(const AttentionProblem& p, const AttentionRows& rows, std::int64_t head) {
  return rows.first + head / p.heads * rows.outer + head % p.heads * rows.head;
}

template <class T>
AttentionHead<T> head_of(const AttentionProblem& p, const KernelRun& run, std::int64_t head) {
  AttentionHead<T> result{.queries = p.queries,
                          .keys = p.keys,
                          .width = p.width,
                          .value_width = p.value_width,
                          .causal = p.causal,
                          .scale = static_cast<T>(p.scale),
                          .query_row = p.query.row,
                          .key_row = p.key.row,
                          .value_row = p.value.row,
                          .mask_row = p.mask_row,
                          .mask_column = p.mask_column,
                          .result_row = p.result.row};
  result.query = run.input<T>(0) + offset(p, p.query, head);
  result.key = run.input<T>(p.packed ? 0 : 1) + offset(p, p.key, head);
  result.value = run.input<T>(p.packed ? 0 : 2) + offset(p, p.value, head);
  if (!p.mask.empty()) result.mask = run.input<T>(3) + p.mask[static_cast<std::size_t>(head)];
  return result;
}

// Causal attention is uneven: the tiles with the most work are numbered first.
template <class T>
class Forward final : public Kernel {
 public:
  explicit Forward(AttentionProblem problem)
      : p_(std::move(problem)),
        blocks_(divide_up(p_.queries, kAttentionQueries)),
        scratch_bytes_(AttentionScratch<T>(p_.width, p_.value_width).layout.bytes()) {}

  std::int64_t tiles(int) const override { return p_.all_heads() * blocks_; }
  std::size_t scratch_bytes() const override { return scratch_bytes_; }
  void run(int, std::int64_t tile, const KernelRun& run) const override {
    const std::int64_t head = tile % p_.all_heads();
    const std::int64_t first = (blocks_ - 1 - tile / p_.all_heads()) * kAttentionQueries;
    attention_forward(head_of<T>(p_, run, head), first,
                      std::min(p_.queries, first + kAttentionQueries),
                      run.output<T>(0) + offset(p_, p_.result, head),
                      run.output<T>(1) + head * 2 * p_.queries, run.scratch<std::byte>());
  }
  std::string description() const override {
    return cat("blocks of ", kAttentionQueries, " queries by ", kAttentionKeys, " keys");
  }

 private:
  AttentionProblem p_;
  std::int64_t blocks_;
  std::size_t scratch_bytes_;
};

// A tile has a part of a head's keys, in whole blocks. Where a head is one part, its tile has the
// gradient of the queries too; otherwise a second phase adds up what the parts gave to it.
template <class T>
class Backward final : public StagedKernel<Backward<T>> {
 public:
  explicit Backward(AttentionProblem problem)
      : p_(std::move(problem)),
        width_(attention_padded(p_.width)),
        rows_(attention_padded(p_.queries)) {
    constexpr std::int64_t kTiles = 32;
    const std::int64_t blocks = divide_up(p_.keys, kAttentionKeys);
    const std::int64_t wanted = std::min(blocks, divide_up(kTiles, p_.all_heads()));
    part_ = divide_up(blocks, wanted) * kAttentionKeys;
    parts_ = divide_up(p_.keys, part_);
    this->add_stage(p_.all_heads() * parts_, &Backward::run_part);
    if (parts_ == 1) {
      query_sums_ = scratch_.add<T>(rows_ * width_);
    } else {
      query_sums_ = workspace_.add<T>(p_.all_heads() * parts_ * rows_ * width_);
      this->add_stage(p_.all_heads() * divide_up(p_.queries, kAttentionQueries),
                      &Backward::add_parts_of_block);
    }
    const AttentionBackwardScratch<T> of_loops(p_.width, p_.value_width);
    loops_ = scratch_.add<std::byte>(static_cast<std::int64_t>(of_loops.layout.bytes()));
  }

  std::size_t workspace_bytes() const override { return workspace_.bytes(); }
  std::size_t scratch_bytes() const override { return scratch_.bytes(); }
  std::string description() const override {
    return cat("blocks of ", kAttentionBackwardQueries, " queries by ", kAttentionKeys, " keys, ",
               parts_, " parts per head");
  }

 private:
  void run_part(std::int64_t tile, const KernelRun& run) const {
    const std::int64_t head = tile % p_.all_heads();
    const std::int64_t part = tile / p_.all_heads();
    AttentionHead<T> data = head_of<T>(p_, run, head);
    const int saved = p_.own_inputs();
    data.result = run.input<T>(saved) + offset(p_, p_.result, head);
    data.statistics = run.input<T>(saved + 1) + head * 2 * p_.queries;
    data.upstream = run.input<T>(saved + 2) + offset(p_, p_.result, head);
    T* key_gradient = run.output<T>(p_.packed ? 0 : 1) + offset(p_, p_.key, head);
    T* value_gradient = run.output<T>(p_.packed ? 0 : 2) + offset(p_, p_.value, head);
    auto* scratch = run.scratch<std::byte>();
    T* sums = parts_ == 1 ? query_sums_.in(scratch) : sums_of(run, head, part);
    const std::int64_t first = part * part_;
    attention_backward(data, first, std::min(p_.keys, first + part_), sums, key_gradient,
                       value_gradient, loops_.in(scratch));
    if (parts_ == 1) add_parts(sums, 0, p_.queries, query_gradient(run, head));
  }

  void add_parts_of_block(std::int64_t tile, const KernelRun& run) const {
    const std::int64_t head = tile % p_.all_heads();
    const std::int64_t first = tile / p_.all_heads() * kAttentionQueries;
    const std::int64_t last = std::min(p_.queries, first + kAttentionQueries);
    add_parts(sums_of(run, head, 0), first, last, query_gradient(run, head));
  }

  T* query_gradient(const KernelRun& run, std::int64_t head) const {
    return run.output<T>(0) + offset(p_, p_.query, head);
  }
  T* sums_of(const KernelRun& run, std::int64_t head, std::int64_t part) const {
    return query_sums_.in(run.workspace<std::byte>()) + (head * parts_ + part) * rows_ * width_;
  }

  // A part gave nothing to queries that see none of its keys.
  void add_parts(const T* sums, std::int64_t first, std::int64_t last, T* to) const {
    const T scale = static_cast<T>(p_.scale);
    for (std::int64_t i = first; i < last; ++i) {
      const std::int64_t parts = p_.causal ? std::min(parts_, i / part_ + 1) : parts_;
      const T* row = sums + i * width_;
      T* result = to + i * p_.query.row;
      for (std::int64_t j = 0; j < p_.width; ++j) result[j] = row[j];
      for (std::int64_t part = 1; part < parts; ++part) {
        row += rows_ * width_;
        for (std::int64_t j = 0; j < p_.width; ++j) result[j] += row[j];
      }
      for (std::int64_t j = 0; j < p_.width; ++j) result[j] *= scale;
    }
  }

  AttentionProblem p_;
  std::int64_t width_;  // of a row of the query sums
  std::int64_t rows_;   // of those of one part
  std::int64_t part_;   // keys of a tile
  std::int64_t parts_;  // per head
  BlockLayout workspace_;
  BlockLayout scratch_;
  BlockPart<T> query_sums_;  // in the workspace, or in the scratch where a head has one part
  BlockPart<std::byte> loops_;
};

}  // namespace

std::unique_ptr<Kernel> make_attention(AttentionProblem problem) {
  return visit_floating(problem.dtype, [&]<class T>(T) -> std::unique_ptr<Kernel> {
    return std::make_unique<Forward<T>>(std::move(problem));
  });
}

std::unique_ptr<Kernel> make_attention_backward(AttentionProblem problem) {
  return visit_floating(problem.dtype, [&]<class T>(T) -> std::unique_ptr<Kernel> {
    return std::make_unique<Backward<T>>(std::move(problem));
  });
}

}  // namespace gradmill

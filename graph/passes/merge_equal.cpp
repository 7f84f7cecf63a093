#include <gradmill/graph/passes/merge_equal.h>

#include <bit>
#include <numeric>
#include <optional>
#include <string>
#include <string_view>
#include <typeinfo>
#include <utility>
#include <vector>

#include <gradmill/runtime/error.h>
#include <gradmill/runtime/log.h>

namespace gradmill {
namespace {

std::size_t at(int index) { return static_cast<std::size_t>(index); }

void mix(std::size_t& hash, std::size_t value) { hash = (hash ^ value) * 0x9E3779B97F4A7C15U; }

// Nothing for a node that equals no other.
std::optional<std::size_t> hash_of(const Node& node) {
  std::size_t hash = 0;
  if (node.kind == NodeKind::constant) {
    const auto* bytes = reinterpret_cast<const char*>(node.constant->data());
    mix(hash, std::hash<std::string_view>()({bytes, node.constant->size()}));
    return hash;
  }
  if (node.kind != NodeKind::op || node.updates) return std::nullopt;
  const Op& op = *node.op;
  const std::optional<std::string> attributes = op.attributes();
  if (!attributes) return std::nullopt;
  mix(hash, typeid(op).hash_code());
  mix(hash, std::hash<std::string>()(*attributes));
  for (const Node::Edge& edge : node.inputs) {
    mix(hash, static_cast<std::size_t>(edge.node));
    mix(hash, static_cast<std::size_t>(edge.output));
  }
  return hash;
}

bool computes_same(const Node& a, const Node& b) {
  if (a.kind != b.kind || a.inputs != b.inputs) return false;
  if (a.kind == NodeKind::constant) {
    return a.outputs == b.outputs && *a.constant == *b.constant;
  }
  const Op& first = *a.op;
  const Op& second = *b.op;
  return typeid(first) == typeid(second) && first.name() == second.name() &&
         first.attributes() == second.attributes();
}

// Nodes by their hash, in two blocks of memory.
class Table {
 public:
  explicit Table(std::size_t nodes)
      : buckets_(std::bit_ceil(nodes + 1), -1), entries_(nodes, {.hash = 0, .next = -1}) {}

  /// The first of that hash for which `same` holds, or -1 and `node` is added.
  template <class Same>
  int find_or_add(std::size_t hash, int node, Same&& same) {
    // The upper bits are the better mixed.
    int& bucket = buckets_[(hash >> 32U) & (buckets_.size() - 1)];
    for (int other = bucket; other >= 0; other = entries_[at(other)].next) {
      if (entries_[at(other)].hash == hash && same(other)) return other;
    }
    entries_[at(node)] = {hash, std::exchange(bucket, node)};
    return -1;
  }

 private:
  struct Entry {
    std::size_t hash;
    int next;  // of the same bucket, or -1
  };
  std::vector<int> buckets_;
  std::vector<Entry> entries_;  // one per node
};

}  // namespace

void merge_equal(Rewriting& rewriting) {
  Nodes& nodes = rewriting.nodes;
  Table seen(nodes.size());
  std::vector<int> twin(nodes.size());  // the node whose outputs stand for this one's
  std::iota(twin.begin(), twin.end(), 0);
  for (int i = 0; i < static_cast<int>(nodes.size()); ++i) {
    Node& node = nodes[at(i)];
    for (Node::Edge& edge : node.inputs) edge.node = twin[at(edge.node)];
    if (!rewriting.live[at(i)]) continue;
    const std::optional<std::size_t> hash = hash_of(node);
    if (!hash) continue;
    const int equal = seen.find_or_add(
        *hash, i, [&](int other) { return computes_same(nodes[at(other)], node); });
    if (equal < 0) continue;
    twin[at(i)] = equal;
    rewriting.live[at(i)] = false;
    if (log_enabled(LogLevel::debug)) {
      log(LogLevel::debug,
          cat("rewrite: '", node.name, "' computes the same as '", nodes[at(equal)].name, "'"));
    }
  }
  for (Node::Edge& root : rewriting.roots) root.node = twin[at(root.node)];
}

}  // namespace gradmill

#include <gradmill/graph/passes/fuse.h>

#include <algorithm>
#include <cstdint>
#include <numeric>
#include <unordered_map>
#include <utility>

#include <gradmill/runtime/error.h>
#include <gradmill/runtime/log.h>

namespace gradmill {
namespace {

using Edge = Node::Edge;

std::size_t at(int index) { return static_cast<std::size_t>(index); }

class Fuser {
 public:
  Fuser(Rewriting& rewriting, bool updates)
      : rewriting_(rewriting),
        nodes_(rewriting.nodes),
        roots_(rewriting.roots),
        fuse_updates_(updates) {}

  void run() {
    find_readers();
    for (int i = 0; i < rewriting_.size(); ++i) {
      if (live(i) && nodes_[at(i)].kind == NodeKind::op) fuse_into_consumers(i);
    }
  }

 private:
  bool live(int index) const { return rewriting_.live[at(index)]; }

  void find_readers() {
    readers_.assign(nodes_.size(), {});
    for (int i = 0; i < rewriting_.size(); ++i) {
      if (!live(i)) continue;
      for (const Edge& edge : nodes_[at(i)].inputs) add_reader(edge.node, i);
    }
    for (int i = 0; i < static_cast<int>(roots_.size()); ++i) {
      roots_of_[roots_[at(i)].node].push_back(i);
    }
    ranks_.resize(nodes_.size());
    std::iota(ranks_.begin(), ranks_.end(), std::int64_t{0});
    visited_.assign(nodes_.size(), 0);
  }

  void add_reader(int node, int reader) {
    auto& readers = readers_[at(node)];
    const auto place = std::ranges::lower_bound(readers, reader);
    if (place == readers.end() || *place != reader) readers.insert(place, reader);
  }

  void drop_reader(int node, int reader) {
    auto& readers = readers_[at(node)];
    const auto place = std::ranges::lower_bound(readers, reader);
    if (place != readers.end() && *place == reader) readers.erase(place);
  }

  void fuse_into_consumers(int producer) {
    // A fused node may absorb again, so it stays the producer until nothing more fits.
    for (bool changed = true; changed;) {
      changed = false;
      for (const int consumer : readers_[at(producer)]) {
        if (nodes_[at(consumer)].updates && !fuse_updates_) continue;
        if (!try_fuse(producer, consumer)) continue;
        producer = consumer;
        changed = true;
        break;
      }
    }
  }

  bool try_fuse(int producer, int consumer) {
    Node& first = nodes_[at(producer)];
    Node& second = nodes_[at(consumer)];
    find_types(first.inputs, first_types_);
    find_types(second.inputs, second_types_);
    from_producer_.clear();
    for (const Edge& edge : second.inputs) {
      from_producer_.push_back(edge.node == producer ? edge.output : -1);
    }
    const auto absorbed = first.op->absorb(
        {*second.op, first_types_, first.outputs, second_types_, second.outputs, from_producer_});
    if (!absorbed || !allowed(producer, consumer, *absorbed)) return false;

    Node fused;
    Node& named = second.updates ? second : first;
    fused.phase = named.phase;
    fused.op = absorbed->op;
    fused.updates = !fused.op->mutates().empty();
    fused.inputs = first.inputs;
    for (const int i : absorbed->extra_inputs) fused.inputs.push_back(second.inputs[at(i)]);
    try {
      find_types(fused.inputs, first_types_);
      fused.outputs = fused.op->infer(first_types_);
    } catch (const Error& error) {
      throw Error(cat(first.op->name(), " '", first.name, "' absorbing ", second.op->name(), " '",
                      second.name, "': ", error.what()));
    }
    if (log_enabled(LogLevel::debug)) {
      log(LogLevel::debug, cat("rewrite: ", first.op->name(), " '", first.name, "' absorbs ",
                               second.op->name(), " '", second.name, "'"));
    }
    fused.name = std::move(named.name);
    replace(producer, consumer, std::move(fused), absorbed->outputs);
    return true;
  }

  // Puts `fused` in the place of both. It takes the consumer's number.
  void replace(int producer, int consumer, Node fused, std::span<const int> outputs) {
    for (const int gone : {producer, consumer}) {
      for (const Edge& edge : nodes_[at(gone)].inputs) drop_reader(edge.node, gone);
    }
    for (const Edge& edge : fused.inputs) add_reader(edge.node, consumer);
    nodes_[at(consumer)] = std::move(fused);
    rewriting_.live[at(producer)] = false;

    const auto redirect = [&](Edge& edge) {
      if (edge.node != producer && edge.node != consumer) return;
      const int origin = edge.node == producer ? edge.output : -1 - edge.output;
      const auto output = std::ranges::find(outputs, origin) - outputs.begin();
      edge = {consumer, static_cast<int>(output)};
    };
    for (const int reader : std::exchange(readers_[at(producer)], {})) add_reader(consumer, reader);
    for (const int reader : readers_[at(consumer)]) {
      std::ranges::for_each(nodes_[at(reader)].inputs, redirect);
      rewriting_.in_order = rewriting_.in_order && reader > consumer;
    }
    if (const auto moved = roots_of_.extract(producer)) {
      std::vector<int>& roots = roots_of_[consumer];
      roots.insert(roots.end(), moved.mapped().begin(), moved.mapped().end());
    }
    if (const auto roots = roots_of_.find(consumer); roots != roots_of_.end()) {
      for (const int root : roots->second) redirect(roots_[at(root)]);
    }
    raise_readers(consumer);
  }

  bool allowed(int producer, int consumer, const Absorbed& absorbed) {
    const auto kept = [&](int output) {
      return std::ranges::find(absorbed.outputs, output) != absorbed.outputs.end();
    };
    if (const auto roots = roots_of_.find(producer); roots != roots_of_.end()) {
      for (const int root : roots->second) {
        if (!kept(roots_[at(root)].output)) return false;
      }
    }
    for (const int reader : readers_[at(producer)]) {
      if (reader == consumer) continue;
      for (const Edge& edge : nodes_[at(reader)].inputs) {
        if (edge.node == producer && !kept(edge.output)) return false;
      }
    }
    // The fused node must not write what it reads as the producer did: not all of its tiles at
    // once.
    const Node& second = nodes_[at(consumer)];
    for (const int i : second.op->mutates()) {
      for (const Edge& edge : nodes_[at(producer)].inputs) {
        if (source_of(edge.node) == source_of(second.inputs[at(i)].node)) return false;
      }
    }
    // What the consumer takes from elsewhere must not itself wait for the producer.
    ShortList<int, 4> others;
    for (const int i : absorbed.extra_inputs) others.push_back(second.inputs[at(i)].node);
    return !reaches(producer, consumer, others);
  }

  // The node whose bytes a value is, seen through ops that only rename.
  int source_of(int index) const {
    while (nodes_[at(index)].op != nullptr && nodes_[at(index)].op->aliases() >= 0) {
      index = nodes_[at(index)].inputs[at(nodes_[at(index)].op->aliases())].node;
    }
    return index;
  }

  // Whether one of `targets` is `from`, or waits for it other than by way of `consumer`.
  bool reaches(int from, int consumer, std::span<const int> targets) {
    if (targets.empty()) return false;
    std::int64_t last = -1;
    for (const int target : targets) last = std::max(last, ranks_[at(target)]);
    ++visits_;
    visited_[at(consumer)] = visits_;
    pending_.assign(1, from);
    while (!pending_.empty()) {
      const int next = pending_.back();
      pending_.pop_back();
      if (std::ranges::find(targets, next) != targets.end()) return true;
      for (const int reader : readers_[at(next)]) {
        if (ranks_[at(reader)] > last || visited_[at(reader)] == visits_) continue;
        visited_[at(reader)] = visits_;
        pending_.push_back(reader);
      }
    }
    return false;
  }

  void raise_readers(int index) {
    pending_.assign(1, index);
    while (!pending_.empty()) {
      const int next = pending_.back();
      pending_.pop_back();
      for (const int reader : readers_[at(next)]) {
        if (ranks_[at(reader)] > ranks_[at(next)]) continue;
        ranks_[at(reader)] = ranks_[at(next)] + 1;
        pending_.push_back(reader);
      }
    }
  }

  void find_types(std::span<const Edge> edges, std::vector<Type>& types) const {
    types.clear();
    for (const Edge& edge : edges) types.push_back(nodes_[at(edge.node)].outputs[at(edge.output)]);
  }

  Rewriting& rewriting_;
  Nodes& nodes_;
  std::vector<Edge>& roots_;
  bool fuse_updates_;

  std::vector<ShortList<int, 4>> readers_;  // one per node, in ascending order
  std::unordered_map<int, std::vector<int>> roots_of_;
  std::vector<std::int64_t> ranks_;  // greater than those of all inputs; bounds searches
  std::vector<int> visited_;         // the last search that came by
  int visits_ = 0;
  std::vector<int> pending_;  // of a search; kept for its memory
  // Of the pair that is looked at; kept for their memory.
  std::vector<Type> first_types_;
  std::vector<Type> second_types_;
  std::vector<int> from_producer_;
};

}  // namespace

void fuse(Rewriting& rewriting, bool updates) { Fuser(rewriting, updates).run(); }

}  // namespace gradmill

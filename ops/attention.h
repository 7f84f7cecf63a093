#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include <gradmill/graph/value.h>

namespace gradmill {

struct AttentionOptions {
  /// Added to the scores before the softmax: of the query's dtype, broadcastable to [..., L, S];
  /// -inf hides a key. Null for none. Not together with `is_causal`, as in PyTorch.
  Value attn_mask = {};
  /// Query i sees the keys 0 to i alone: the lower triangle from the top left, also where L != S.
  bool is_causal = false;
  std::optional<double> scale = {};  ///< by default 1 / sqrt(E)
};

/// `torch.nn.functional.scaled_dot_product_attention`: `query` is [..., L, E], `key` [..., S, E]
/// and `value` [..., S, Ev], all f32 or all f64, with the same leading axes, of which there may be
/// none. The result is [..., L, Ev]:
///   s_ij = scale sum_e q_ie k_je + mask_ij,   p_ij = exp(s_ij - m_i) / l_i,   o_i = sum_j p_ij
///   v_j, m_i = max_j s_ij,   l_i = sum_j exp(s_ij - m_i).
///
/// The gradient, with upstream do, and D_i = sum_j p_ij (do_i . v_j) = do_i . o_i:
///   dv_j = sum_i p_ij do_i,   ds_ij = p_ij (do_i . v_j - D_i),
///   dq_i = scale sum_j ds_ij k_j,   dk_j = scale sum_i ds_ij q_i.
/// `attn_mask` has no gradient, and asking for it is an error. Nor have these gradients gradients
/// of their own: write the formula with `matmul` and `softmax` where second derivatives are wanted.
///
/// No matrix of L x S is stored: scores exist a block at a time, forward and backward, and beyond
/// the results there are two numbers per query (m_i and 1 / l_i: exact, where log l_i + m_i would
/// lose the digits of large scores) and partial sums of dq. What is_causal hides is not computed.
///
/// A query that sees no key, since its mask is -inf throughout, has the result 0 and the gradient
/// 0, as in PyTorch from 2.5 on; older versions give NaN. NaN or +inf among a query's scores make
/// its result NaN.
///
/// Throws Error when shapes or dtypes do not fit, for a mask with is_causal, and for a scale that
/// is not finite.
///
/// T. Dao et al., "FlashAttention: Fast and Memory-Efficient Exact Attention with IO-Awareness",
/// NeurIPS 2022; M. Milakov, N. Gimelshein, "Online normalizer calculation for softmax", 2018.
GRADMILL_API Value scaled_dot_product_attention(Value query, Value key, Value value,
                                                const AttentionOptions& options = {},
                                                std::string name = {});

struct SelfAttentionOptions {
  bool is_causal = false;            ///< as in AttentionOptions
  std::optional<double> scale = {};  ///< by default 1 / sqrt(W / num_heads)
};

/// Self-attention of several heads on projections packed as GPT-2 and
/// `torch.nn.MultiheadAttention` have them: `qkv` is [..., T, 3 W], in each row all of q, then k,
/// then v, W numbers each, in each of which the heads follow one another, W / num_heads numbers
/// per head. The result is [..., T, W], the heads side by side: what splitting, transposing to
/// [..., num_heads, T, W / num_heads], `scaled_dot_product_attention` and transposing back would
/// give, without moving anything; the gradient is one tensor like qkv.
///
/// Formula, gradient and what is stored as above. Throws Error unless qkv is f32 or f64, of at
/// least two axes, its last a multiple of 3 num_heads, for num_heads below 1, and for a scale that
/// is not finite.
GRADMILL_API Value self_attention(Value qkv, std::int64_t num_heads,
                                  const SelfAttentionOptions& options = {}, std::string name = {});

}  // namespace gradmill

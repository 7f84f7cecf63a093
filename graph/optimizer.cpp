#include <gradmill/graph/optimizer.h>

namespace gradmill {

UpdateInputs::UpdateInputs(int state_count, bool counts, const UpdateForm& form)
    : states(state_count) {
  size = state + states;
  if (counts) count = size++;
  if (form.accumulates) accumulator = size++;
  if (form.scaled) scale = size++;
}

ShortList<int, 4> UpdateInputs::written() const {
  ShortList<int, 4> result = {parameter};
  for (int k = 0; k < states; ++k) result.push_back(state + k);
  if (accumulator >= 0) result.push_back(accumulator);
  return result;
}

UpdateInputs UpdateInputs::without_gradient(int first) const {
  UpdateInputs result = *this;
  result.parameter = first;
  result.gradient = -1;
  for (int* input : {&result.state, &result.count, &result.accumulator, &result.scale}) {
    if (*input >= 0) *input += first - 1;
  }
  result.size += first - 1;
  return result;
}

Optimizer::~Optimizer() = default;

UpdateInputs Optimizer::inputs(const UpdateForm& form) const {
  return {static_cast<int>(state().size()), counts_updates(), form};
}

GradientScaling::~GradientScaling() = default;

}  // namespace gradmill

"""Operations on tensors, by the name of their form: one table for every frontend (`torch.export`, ONNX).

A file states equation, float kernel, populations and the reason of what stays on the host.
"""

from __future__ import annotations

from neurodeploy.ops.tensors import arithmetic, attending, conv, curve, hosted, linear, norms, pooling, wires
from neurodeploy.ops.tensors.form import TensorForm

#: What is not here does not exist.
FORMS: dict[str, TensorForm] = {
    "conv": conv.FORM,
    "linear": linear.FORM,
    **arithmetic.FORMS,
    **curve.FORMS,
    **pooling.FORMS,
    **wires.FORMS,
    **norms.FORMS,
    **attending.FORMS,
    **hosted.FORMS,
}

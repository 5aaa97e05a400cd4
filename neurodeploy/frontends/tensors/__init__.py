"""Frontends of tensor networks: `torch.export` of any module, and ONNX files. Both make nodes of one table,
`ops.tensors`."""

"""The processor: kernels that are compiled, threads that share a call, instructions that may be used, memory given back."""

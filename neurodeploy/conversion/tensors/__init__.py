"""A `TensorGraph` and samples -> a `Program` of graded populations within the step, fed by streams: each sample is a
step."""

"""Exact products of integer matrices, by whichever way is the fastest on this processor; none changes a bit.

| file        | what                                                                                     |
|-------------|------------------------------------------------------------------------------------------|
| `choice`    | the table of products, their trial and timing, the choice by shape                        |
| `kept`      | measured speeds on disk, by processor                                                     |
| `pairs`     | our own kernel: 16-bit payloads in one pass                                               |
| `tiles`     | what it is made of: tiles of sums in registers, by the processor's own instructions       |
| `libraries` | torch's 8-bit product, float32 and float64 in pieces that are proven not to round         |
"""

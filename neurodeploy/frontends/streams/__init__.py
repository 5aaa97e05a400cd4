"""Input of a spiking network from files: .npy, .npz, NIRData (.h5, .hdf5, .nir). Values become integers, or an error.

    array              .npy; .npz with one array for each input population
    shape              (steps, neurons), (samples, steps, neurons), neurons also as the population's own axes;
                       (steps, samples, neurons) where the layout is time-first
    NIRData            `nir.write_data`: TimeGriddedData, EventData, ValuedEventData of the node named like the population

Time of an event: step k holds ``(k - 1) dt <= time < k dt``; two events of one neuron in one step add up where they carry
values and are counted as lost where they do not.
"""

from __future__ import annotations

from neurodeploy.frontends.streams.reading import Stream, read_stream

__all__ = ["Stream", "read_stream"]

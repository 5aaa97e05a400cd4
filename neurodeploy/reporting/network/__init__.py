"""The report of a spiking network: rasters, states, counts by population and projection, chip map, energy."""

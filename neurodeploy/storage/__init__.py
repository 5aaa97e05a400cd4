"""Files of any origin: opened only where they are regular, bounded before they are read, written aside and renamed.

opening        regular files only: a FIFO or a device never makes anyone wait
numpy_files    .npy and .npz: no pickle, no foreign compression, sizes known before a value is read
tables         cells of CSV files that no spreadsheet takes for formulas
asides         temporary names that fit, files with the modes that the user's umask gives
confined       programs of ours that read what crashes or hangs libraries, in processes with limits
"""

"""Files of any origin: opened only where they are regular, bounded before they are read, written aside and renamed.

opening        regular files only: a FIFO or a device never makes anyone wait
numpy_files    .npy and .npz: no pickle, no foreign compression, sizes known before a value is read
tables         cells of CSV files that no spreadsheet takes for formulas
confined       programs of ours that read what crashes or hangs libraries, in processes with limits
cache          the folder of what can be made again
temporary      names that say which process made them, and what is left of processes that are gone
exchange       two folders change places in one step, where the system can do that
stage_files    results of finished stages in a folder, so that work goes on where it was broken off
"""

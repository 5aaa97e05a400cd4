"""Files and folders that outlive a broken run: temporary names with their maker inside, exchange, results of stages.

temporary      names that say which process made them, and what is left of processes that are gone
exchange       two folders change places in one step, where the system can do that
stage_files    results of finished stages in a folder, so that work goes on where it was broken off
"""

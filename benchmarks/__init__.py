"""Speed and fidelity, measured: results are data that name the machine and the commit."""

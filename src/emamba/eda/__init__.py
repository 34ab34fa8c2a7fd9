"""Foreign programs (C compiler, Verilator, Yosys): run them, and read what they print."""

"""A liberty library small enough to be read, with made-up numbers that are easy to reckon with; and other corners."""

import re

_HEAD = """/* made up {{ */
library (tiny) {{
  delay_model : table_lookup;
  time_unit : "1ns";
  voltage_unit : "1V";
  current_unit : "1mA";
  pulling_resistance_unit : "1kohm";
  leakage_power_unit : "1nW";
  capacitive_load_unit (1, {load});
  nom_voltage : {voltage};
  nom_temperature : 25.0;
  nom_process : 1.0;
  slew_lower_threshold_pct_rise : 20; slew_upper_threshold_pct_rise : 80;
  slew_lower_threshold_pct_fall : 20; slew_upper_threshold_pct_fall : 80;
  input_threshold_pct_rise : 50; input_threshold_pct_fall : 50;
  output_threshold_pct_rise : 50; output_threshold_pct_fall : 50;
  default_max_transition : 2.0;
  lu_table_template (t) {{
    variable_1 : input_net_transition; variable_2 : total_output_net_capacitance;
    index_1 ("0.01, 1.0"); index_2 ("0.001, 1.0");
  }}
  lu_table_template (c) {{
    variable_1 : related_pin_transition; variable_2 : constrained_pin_transition;
    index_1 ("0.01, 1.0"); index_2 ("0.01, 1.0");
  }}
  power_lut_template (p) {{
    variable_1 : input_transition_time; variable_2 : total_output_net_capacitance;
    index_1 ("0.01, 1.0"); index_2 ("0.001, 1.0");
  }}
"""


def _timing(pin: str, kind: str = "", slope: float = 1.0) -> str:
    """0.1 ns and 1 ns a pF."""
    table = f'values ("0.1, {0.1 + slope:g}", "0.2, {0.2 + slope:g}");'
    names = ("cell_rise", "cell_fall", "rise_transition", "fall_transition")
    tables = " ".join(f"{name} (t) {{ {table} }}" for name in names)
    return f'timing () {{ related_pin : "{pin}"; {kind} {tables} }}'


def _power(pin: str, energy: float = 0.001) -> str:
    table = f'values ("{energy:g}, {energy:g}", "{energy:g}, {energy:g}");'
    return f'internal_power () {{ related_pin : "{pin}"; rise_power (p) {{ {table} }} fall_power (p) {{ {table} }} }}'


def _input(pin: str, more: str = "") -> str:
    return f"pin ({pin}) {{ direction : input; capacitance : 0.002; rise_capacitance : 0.0021; {more} }}"


def _output(pin: str, function: str, related: str, kind: str = "", slope: float = 1.0) -> str:
    arcs = " ".join(_timing(it, kind, slope) + _power(it) for it in related)
    return f'pin ({pin}) {{ direction : output; max_capacitance : 1.0; function : "{function}"; {arcs} }}'


def _gate(name: str, area: float, inputs: str, function: str, slope: float = 1.0) -> str:
    pins = "\n    ".join([*map(_input, inputs), _output("Y", function, inputs, "", slope)])
    return f"  cell ({name}) {{\n    area : {area}; cell_leakage_power : 1.0;\n    {pins}\n  }}\n"


def _setup(pin: str = "C") -> str:
    tables = " ".join(f'{edge}_constraint (c) {{ values ("0.05, 0.05", "0.05, 0.05"); }}' for edge in ("rise", "fall"))
    return f'timing () {{ related_pin : "{pin}"; timing_type : setup_rising; {tables} }}'


def _flip_flop(name: str, area: float, next_state: str, inputs: str) -> str:
    pins = [_input(pin, _setup()) for pin in inputs]
    pins += [_input("C", "clock : true;" + _power("C")), _output("Q", "IQ", "C", "timing_type : rising_edge;")]
    state = f'ff (IQ, IQN) {{ clocked_on : "C"; next_state : "{next_state}"; }}'
    head = f"area : {area}; cell_leakage_power : 2.0;\n    {state}"
    return f"  cell ({name}) {{\n    {head}\n    " + "\n    ".join(pins) + "\n  }\n"


def _clock_gate() -> str:
    pins = [
        _input("CK", "clock : true; clock_gate_clock_pin : true;"),
        _input("EN", "clock_gate_enable_pin : true;" + _setup("CK")),
        'pin (GCK) { direction : output; clock_gate_out_pin : true; state_function : "CK * held"; '
        + _timing("CK", "timing_sense : positive_unate;")
        + _power("CK")
        + "}",
    ]
    state = 'statetable ("CK EN", "held") { table : "L L : - : L, L H : - : H, H - : - : N"; }'
    head = f'area : 4.0; cell_leakage_power : 1.0; clock_gating_integrated_cell : "latch_posedge";\n    {state}'
    inner = 'pin (held) { direction : internal; internal_node : "held"; }'
    return f"  cell (tiny_gate) {{\n    {head}\n    {inner}\n    " + "\n    ".join(pins) + "\n  }\n"


def tiny_liberty(flip_flops: bool = True, voltage: float = 1.0, load: str = "pf", gate: bool = True) -> str:
    """Inverter, buffers, NAND and NOR of two, flip-flops with and without an enable, and a clock gate."""
    cells = [
        _gate("tiny_inv", 1.0, "A", "!A"),
        _gate("tiny_buf", 1.5, "A", "A", 0.2),
        _gate("tiny_nand2", 2.0, "AB", "!(A & B)"),
        _gate("tiny_nand2b", 0.5, "AB", "!(!A & B)"),
        _gate("tiny_nor2", 2.0, "AB", "(!A) * (B')"),
        _gate("tiny_xor2", 4.0, "AB", "A ^ B"),
    ]
    if flip_flops:
        cells += [_flip_flop("tiny_dff", 8.0, "D", "D"), _flip_flop("tiny_dffe", 9.0, "(E & D) | (!E & IQ)", "DE")]
    return "".join([_HEAD.format(voltage=voltage, load=load), *cells, _clock_gate() if gate else "", "}\n"])


_DELAYS = re.compile(r"((?:cell_|)(?:rise|fall)(?:_transition|_constraint|)\s*\([^)]*\)\s*{)([^}]*)")
_VALUES = re.compile(r"(values\s*\()([^)]*)")


def slower(liberty: str, factor: float, voltage: float, temperature: float = 125.0) -> str:
    """The text of another corner: delays, slews and setup times are `factor` as long; energies stay what they are."""

    def scaled(table: re.Match[str]) -> str:
        return table[1] + re.sub(r"-?[\d.]+", lambda number: f"{float(number[0]) * factor:g}", table[2])

    text = _DELAYS.sub(lambda group: group[1] + _VALUES.sub(scaled, group[2]), liberty)
    text = re.sub(r"(nom_voltage\s*:\s*)[\d.]+", rf"\g<1>{voltage}", text)
    return re.sub(r"(nom_temperature\s*:\s*)[\d.]+", rf"\g<1>{temperature}", text)


_MACRO = """library (tiny_sram) {{
  time_unit : "1ns"; leakage_power_unit : "1uW"; capacitive_load_unit (1, pf);
  nom_voltage : 0.9; nom_temperature : 25.0;
  type (word) {{ base_type : array; bit_width : 8; }}
  type (place) {{ base_type : array; bit_width : 2; }}
  cell (tiny_ram) {{
    memory () {{ type : ram; address_width : 2; word_width : 8; }}
    area : 100; cell_leakage_power : 3;
    {test}
    pin (CK) {{ direction : input; clock : true; {powers} }}
    bus (AD) {{ bus_type : place; direction : input; }}
    {mask}
    bus (DI) {{
      bus_type : word; direction : input; memory_write () {{ address : {write}; clocked_on : "CK"; }}
      pin (DI[7:0]) {{ internal_power () {{ when : "EN"; rise_power (scalar) {{ values (0.5); }} }} }}
      timing () {{ related_pin : "CK"; timing_type : setup_rising; when : "EN & WE"; }}
    }}
    bus (DO) {{
      bus_type : word; direction : output; memory_read () {{ address : AD; }}
      timing () {{
        related_pin : "CK"; cell_rise (t) {{ values ("1.5, 2.5"); }} cell_fall (t) {{ values ("1.0, 2.0"); }}
      }}
    }}
  }}
}}
"""
_CYCLES = {"!EN & !WE": 0.25, "EN & WE & RE": 9.0, "EN & WE & !RE": 8.0, "EN & !WE & RE": 5.0}
# Another port, for tests of the memory alone, as real macros have it.
_TEST = """bus (TD) { bus_type : word; direction : input; memory_write () { address : TA; clocked_on : "TK"; } }
    pin (TK) { clock : true; internal_power () { when : "TE & TW"; rise_power (scalar) { values (77); } } }"""


def tiny_macro(masked: bool = True, at_once: bool = False, powers: bool = True) -> str:
    """An SRAM of 4 words of 8 bits: 5 and 9 pJ a read and a write, and half of a pJ where the clock falls."""
    power = "".join(
        f'internal_power () {{ when : "{when}"; rise_power (s) {{ values ({energy}); }} '
        f"fall_power (s) {{ values (0.5); }} }} "
        for when, energy in _CYCLES.items()
    )
    mask = "bus (BM) { bus_type : word; direction : input; }" if masked else ""
    write = "WA" if at_once else "AD"
    return _MACRO.format(powers=power if powers else "", mask=mask, write=write, test=_TEST if powers else "")

"""What is said of the design in standard cells."""

from emamba.report.results import Silicon
from emamba.report.silicon import area

FOUND = Silicon(
    target="tiny.lib",
    library="tiny_tt",
    voltage=0.75,
    temperature=25.0,
    clock_mhz=100.0,
    cells=1234,
    area_um2=98_765.0,
    gate_equivalents=49_382,
    areas_um2={"logic": 49_382.5, "registers": 24_691.25, "memory": 19_753.0, "gates": 4_938.25},
    components=(),
)


def test_area_names_cells_corner_and_method():
    label, value, note = area(FOUND)
    assert (label, value) == ("Area, mm2", "0.0988")
    assert note == (
        "tiny.lib, tiny_tt at 0.75 V, 25 C; Yosys mapping, before placement: 1,234 cells; 49,382 gate equivalents "
        "(NAND2); logic 50%, flip-flops 25%, memories as flip-flops 20%, clock gates 5%"
    )

import csv

from click.testing import CliRunner
from numpy.testing import assert_allclose

from medgan.tools.evaluate import main

# Our column: that of the oracle, its relative tolerance, the absolute one near zero.
COLUMNS = {
    "sf": ("SF", 1e-5, 0),
    "ssim": ("SSIM_L255g11_mean", 1e-4, 0),
    "ssim_uniform": ("SSIM_L255u7_mean", 1e-4, 0),
    "ssim_legacy_sum": ("SSIM_CDDFuse_sum", 1e-3, 0),
    "ssim_matlab": ("SSIM_matlabL1_mean", 1e-3, 0),
    "scd": ("SCD", 1e-4, 1e-4),
    "en": ("EN", 1e-4, 0),
    "sd": ("SD", 1e-5, 0),
    "ag": ("AG", 1e-4, 0),
    "mi": ("MI_nats", 1e-4, 0),
    "mi_bits": ("MI_bits", 1e-4, 0),
    "vif": ("VIF", 1e-3, 0),
    "qabf": ("Qabf", 1e-3, 0),
    "cc": ("CC", 1e-4, 0),
    "psnr": ("PSNR_255", 1e-4, 0),
    "psnr_peak_fused": ("PSNR_peakF", 1e-4, 0),
    "ms_ssim": ("MSSSIM_mean", 1e-3, 0),
    "nabf": ("Nabf", 0, 1e-3),
}


def test_oracle_is_met_through_the_csv(oracle, atlas, tmp_path):
    with open(oracle / "fusion_metrics.csv", newline="") as stream:
        golden = {(row["method"], row["name"]): row for row in csv.DictReader(stream)}
    methods = list(dict.fromkeys(method for method, _ in golden))
    names = list(dict.fromkeys(name for _, name in golden))
    for folder in ("CT", "MRI"):
        (tmp_path / folder).mkdir()
        for name in names:
            (tmp_path / folder / name).symlink_to(atlas.resolve() / "CT-MRI" / folder / name)
    for method, name in golden:
        (tmp_path / method).mkdir(exist_ok=True)
        (tmp_path / method / name).symlink_to(oracle.resolve() / "fused" / f"{method}__{name}")
    fused = [part for name in methods for part in ("--fused", f"{name}={tmp_path / name}")]
    sources = ["--first", str(tmp_path / "CT"), "--second", str(tmp_path / "MRI")]
    result = CliRunner().invoke(
        main,
        [*sources, *fused, "--no-baselines", "--csv", str(tmp_path / "scores.csv"), "--quiet"],
    )
    assert result.exit_code == 0, result.output
    with open(tmp_path / "scores.csv", newline="") as stream:
        received = list(csv.DictReader(stream))
    assert len(received) == len(golden)
    for ours, (theirs, relative, absolute) in COLUMNS.items():
        expected = [float(golden[row["method"], row["name"]][theirs]) for row in received]
        values = [float(row[ours]) for row in received]
        assert_allclose(values, expected, rtol=relative, atol=absolute, err_msg=ours)

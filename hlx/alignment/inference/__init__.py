"""Statistics: tests, effect sizes, intervals, corrections, equivalence and power.

Each result is a small frozen dataclass of plain numbers, None where a number is undefined; dataclasses.asdict
makes it JSON, for a `PairingTest` its method as_dict. Nothing here is computed for fewer than 3 stimuli.
"""

from hlx.alignment.inference.anova import (
    Friedman,
    OneWayAnova,
    RepeatedMeasuresAnova,
    friedman,
    one_way_anova,
    rm_anova,
)
from hlx.alignment.inference.correlation import (
    Correlation,
    CorrelationOverModels,
    correlation_over_models,
    pearson,
    spearman,
)
from hlx.alignment.inference.equivalence import (
    SMALL_D,
    SMALL_R,
    Equivalence,
    correlation_equivalence,
    mean_equivalence,
    paired_equivalence,
)
from hlx.alignment.inference.intervals import Interval, bca_interval, fisher_interval
from hlx.alignment.inference.mixed_model import Coefficient, MixedModel, WaldTest, mixed_model
from hlx.alignment.inference.multiple_tests import benjamini_hochberg, bonferroni, holm
from hlx.alignment.inference.pairing import PairingTest, pairing_test
from hlx.alignment.inference.power import detectable_d, detectable_rho, spearman_power, t_power
from hlx.alignment.inference.samples import FEWEST_STIMULI, Unavailable
from hlx.alignment.inference.t_tests import (
    OneSampleTest,
    PairedDifference,
    Wilcoxon,
    one_sample_t,
    paired_differences,
)

__all__ = [
    "FEWEST_STIMULI",
    "SMALL_D",
    "SMALL_R",
    "Coefficient",
    "Correlation",
    "CorrelationOverModels",
    "Equivalence",
    "Friedman",
    "Interval",
    "MixedModel",
    "OneSampleTest",
    "OneWayAnova",
    "PairedDifference",
    "PairingTest",
    "RepeatedMeasuresAnova",
    "Unavailable",
    "WaldTest",
    "Wilcoxon",
    "bca_interval",
    "benjamini_hochberg",
    "bonferroni",
    "correlation_equivalence",
    "correlation_over_models",
    "detectable_d",
    "detectable_rho",
    "fisher_interval",
    "friedman",
    "holm",
    "mean_equivalence",
    "mixed_model",
    "one_sample_t",
    "one_way_anova",
    "paired_differences",
    "paired_equivalence",
    "pairing_test",
    "pearson",
    "rm_anova",
    "spearman",
    "spearman_power",
    "t_power",
]

"""The ratio of two skills that were measured with error, by Fieller's theorem."""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt

from synthgate.statistics.intervals import LEVEL


@dataclass(frozen=True, slots=True)
class Skills:
    """The skills of two models on the same test rows, and what their errors are made of.

    Attributes
    ----------
    synthetic, real : float
        Skill above chance when trained on synthetic and on real rows.
    test_synthetic, test_real, test_both : float
        Variances and covariance over test rows.
    train_synthetic, train_real : float
        Variances over training rows.
    degrees : int
        Degrees of freedom of each training variance.
    draws : int
        Bootstrap draws behind the test variances.
    """

    synthetic: float
    real: float
    test_synthetic: float
    test_real: float
    test_both: float
    train_synthetic: float
    train_real: float
    degrees: int
    draws: int

    def ratio_interval(self, looks: int = 1) -> tuple[float, float, float]:
        """Return the ratio of the skills, synthetic over real, with its interval.

        The interval holds every ratio ``r`` for which ``synthetic - r real`` is within its error of zero, which stays
        right when the denominator is noisy (Fieller 1954, Journal of the Royal Statistical Society B 16,
        175-185), with Student's t on Satterthwaite's degrees of freedom.

        Parameters
        ----------
        looks : int
            How many intervals shall hold together (Bonferroni).

        Returns
        -------
        value, low, high : float
            Infinite ends where the real skill cannot be told from chance.
        """
        t = self._quantile(self.train_synthetic, self.train_real, self.test_synthetic + self.test_real, looks)
        a = self.real**2 - t * t * (self.test_real + self.train_real)
        b = self.synthetic * self.real - t * t * self.test_both
        c = self.synthetic**2 - t * t * (self.test_synthetic + self.train_synthetic)
        value = self.synthetic / self.real if self.real > 0 else 0.0
        if a <= 0:
            return value, float("-inf"), float("inf")
        root = sqrt(max(0.0, b * b - a * c))
        return value, min(value, (b - root) / a), max(value, (b + root) / a)

    def synthetic_half(self) -> float:
        """Return the half width of the synthetic skill's 95 % interval."""
        t = self._quantile(self.train_synthetic, 0.0, self.test_synthetic)
        return t * sqrt(self.test_synthetic + self.train_synthetic)

    def real_half(self) -> float:
        """Return the half width of the real skill's 95 % interval."""
        return self._quantile(0.0, self.train_real, self.test_real) * sqrt(self.test_real + self.train_real)

    def _quantile(self, first: float, second: float, test: float, looks: int = 1) -> float:
        """Return Student's t for a sum of variances (Satterthwaite 1946, Biometrics Bulletin 2, 110-114)."""
        from scipy.special import stdtrit

        spread = (first**2 + second**2) / self.degrees + test**2 / max(1, self.draws - 1)
        freedom = (first + second + test) ** 2 / spread if spread > 0 else float(self.draws)
        return float(stdtrit(max(1.0, freedom), 1 - (1 - LEVEL) / (2 * looks)))

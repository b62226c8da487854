"""The ratio of two skills that were measured with error, by Fieller's theorem."""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt

from synthgate.statistics.intervals import LEVEL

SMALL_ROWS = 200


def caution(rows: int, units: int = 0) -> float:
    """Return the factor that widens what a table is held to, ``sqrt(1 + 200 / rows)``.

    With few rows the variances themselves are poorly known, and skills are skewed: at 150 rows one perfect table in 150
    lay so far beyond its 95 % interval that it failed. At 1,000 rows this adds a tenth, at 5,000 a fiftieth.

    Rows that come in `units`, such as sequences, count as one observation for each unit: variances over rows are
    multiplied by the rows of a unit, the most that dependence within units can do (Kish 1965, Survey Sampling).
    """
    independent = min(rows, units) if units else rows
    return sqrt((1 + SMALL_ROWS / max(1, independent)) * max(1, rows) / max(1, independent))


@dataclass(frozen=True, slots=True)
class Skills:
    """The skills of two models on the same test rows, and what their errors are made of.

    Attributes
    ----------
    synthetic, real : float
        Skill above chance when trained on synthetic and on real rows.
    test_synthetic, test_real, test_both : float
        Variances and covariance over test rows.
    train : float
        Variance of the skill over real training samples of this size. It counts twice: for the real training
        rows at hand, and for the luck that as many fresh real rows would have had in place of the synthetic ones. How
        much the skill would vary over other synthetic tables is no excuse for this one, and does not enter.
    degrees : int
        Degrees of freedom of that variance.
    draws : int
        Bootstrap draws behind the test variances.
    rows : int
        The fewer of training and test rows; what they can be held to is widened for few of them.
    units : int
        Independent units behind them, such as sequences; 0 when each row stands for itself.
    """

    synthetic: float
    real: float
    test_synthetic: float
    test_real: float
    test_both: float
    train: float
    degrees: int
    draws: int
    rows: int = 10**9
    units: int = 0

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
        t = self._quantile(2 * self.train, self.test_synthetic + self.test_real - 2 * self.test_both, looks)
        t *= caution(self.rows, self.units)
        a = self.real**2 - t * t * (self.test_real + self.train)
        b = self.synthetic * self.real - t * t * self.test_both
        c = self.synthetic**2 - t * t * (self.test_synthetic + self.train)
        value = self.synthetic / self.real if self.real > 0 else 0.0
        if a <= 0:
            return value, float("-inf"), float("inf")
        root = sqrt(max(0.0, b * b - a * c))
        return value, min(value, (b - root) / a), max(value, (b + root) / a)

    def difference_half(self, looks: int = 1) -> float:
        """Return the half width of the interval of synthetic less real, for `looks` intervals together."""
        test = max(0.0, self.test_synthetic + self.test_real - 2 * self.test_both)
        return (
            caution(self.rows, self.units) * self._quantile(2 * self.train, test, looks) * sqrt(2 * self.train + test)
        )

    def synthetic_half(self) -> float:
        """Return the half width of the synthetic skill's 95 % interval."""
        return self._half(self.test_synthetic)

    def real_half(self) -> float:
        """Return the half width of the real skill's 95 % interval."""
        return self._half(self.test_real)

    def _half(self, test: float) -> float:
        return self._quantile(self.train, test) * sqrt(self.train + test)

    def _quantile(self, train: float, test: float, looks: int = 1) -> float:
        """Return Student's t for the sum of two variances (Satterthwaite 1946, Biometrics Bulletin 2, 110-114)."""
        from scipy.special import stdtrit

        spread = train**2 / self.degrees + test**2 / max(1, self.draws - 1)
        freedom = (train + test) ** 2 / spread if spread > 0 else float(self.draws)
        return float(stdtrit(max(1.0, freedom), 1 - (1 - LEVEL) / (2 * looks)))

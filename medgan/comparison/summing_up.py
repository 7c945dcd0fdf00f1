"""What a finished comparison leaves: tables, verdict, figures, one page, numbers for machines."""

import csv
import io
import textwrap

import numpy as np

from medgan.comparison import tables
from medgan.comparison.cell_training import pictured
from medgan.comparison.cells import DONE, SCORES, read_result, read_scores
from medgan.comparison.results import Results
from medgan.comparison.verdict import paired, sentence
from medgan.evaluation import Evaluation
from medgan.figures import loss_figure, sheet_figure
from medgan.report import write_report
from medgan.report.formatting import counted, escape
from medgan.run import write_atomically, write_json

TITLE_WIDTH = 22  # letters that fit above a picture
SMOKE = (
    "This is the small version (--quick): a few dozen steps on small images, one seed. It shows "
    "that everything works. No conclusion may be drawn from its numbers."
)
CAPTIONS = {
    "table": (
        "The paper's Table 1 beside ours. One family of generators, one division of the patients, "
        "one budget: only the objective differs. CycleGAN-F and CSGAN-F are the objectives of "
        "CycleGAN and CSGAN carried over to fusion, for translators do not fuse. Means by patient "
        "on patients held out, ± standard deviation over seeds; the 95 % interval is a bootstrap "
        "of patients. The paper says neither what data nor what definitions its numbers rest on, "
        "so its rows cannot be compared with ours: one line of NumPy, the maximum, is far above "
        "them."
    ),
    "ablation": (
        "Each row changes one thing of the first. In small print the paired difference to the "
        "first row with its 95 % interval over patients."
    ),
    "appendix": (
        "The literal reading: a translator shown the MR alone, what it makes of it called the "
        "fused image and scored against CT and MR. This is not fusion, for the CT never enters; it "
        "is here because the paper's table names translators."
    ),
}
GAMED = (
    "The content loss optimises smooth versions of SF, SSIM, SCD, Qabf and VIF; MI and Nabf no "
    "loss trains for. No single score is a claim."
)


class Summary:
    """The finished cells of a comparison, in every form in which they are wanted.

    Args:
        plan: the `Plan`.
        output: folder of the comparison.
        command: the command line, or None.
    """

    def __init__(self, plan, output, command=None):
        self.plan = plan
        self.output = output
        self.command = command
        self.results = Results(plan, output)
        self.verdict = self._verdict()

    def _verdict(self):
        """The paired test between `protocol.reference` and `protocol.control`."""
        protocol = self.plan.protocol["protocol"]
        names = protocol.get("reference"), protocol.get("control")
        if not all(names):
            return None
        first, second = (self.results.methods[name] for name in names)
        found = {"first": first.title, "second": second.title, "scores": {}}
        if not (first.complete and second.complete):
            said = "Whether distillation helps cannot be told, for trainings diverged."
            return {**found, "sentence": said}
        found["scores"] = paired(first.values, second.values, first.patients)
        said = sentence(found["scores"])
        if self.plan.protocol.quick:
            said = f"{said} {SMOKE}"
        return {**found, "sentence": said}

    def write(self):
        """Writes everything into the folder.

        Returns:
            What `scores.json` holds.

        Raises:
            MedganError: if a file cannot be written.
        """
        payload = self.to_dict()
        self._write_csv()
        write_atomically(self.output / "table1.md", self.markdown())
        self._write_figures()
        evaluation = payload["evaluation"]
        write_report(
            self.output / "report.html",
            evaluation,
            self._pictures(),
            self._losses(),
            title=evaluation["title"],
            further=self._sections(),
        )
        write_json(self.output / "scores.json", payload)
        return payload

    def to_dict(self):
        """Everything, ready for JSON."""
        protocol = self.plan.protocol
        return {
            "recipe": protocol.name,
            "quick": protocol.quick,
            "seeds": protocol.seeds,
            "folds": [sorted(set(split.validation.patients)) for split in self.plan.splits],
            "methods": [method.to_dict() for method in self.results.methods.values()],
            "paper": tables.PAPER,
            "verdict": self.verdict,
            "differences_to_reference": self._differences(),
            "evaluation": self._evaluation().to_dict(),
        }

    def _differences(self):
        """Method to its paired differences to the reference, for the ablations."""
        reference = self.results.methods.get(self.plan.protocol["protocol"]["reference"])
        if reference is None or not reference.complete:
            return {}
        return {
            method.name: paired(method.values, reference.values, method.patients)
            for method in self._compared(self.results.group("ablation"))
            if method.complete
        }

    def _evaluation(self):
        """The headline methods as an `Evaluation`, means over seeds as the values of images."""
        results, protocol = self.results, self.plan.protocol
        evaluation = Evaluation(
            "fusion",
            results.names,
            results.patients,
            title=f"{protocol.name}: objectives of fusion, all else equal",
            scores=SCORES,
            baseline="maximum" if "maximum" in results.methods else None,
            command=self.command,
        )
        for method in results.group("rule", "table"):
            if not method.complete:
                texts = "; ".join(method.diverged)
                evaluation.problems.append(f"{method.title} left out, for it diverged: {texts}")
                continue
            columns = dict(zip(SCORES, method.by_image.T, strict=True))
            cost = {"parameters": method.parameters, "macs": method.macs, "milliseconds": None}
            evaluation.add(method.title, columns, cost, method.cautions)
        if protocol.quick:
            evaluation.notes.append(SMOKE)
        evaluation.notes.append(self._protocol_sentence())
        evaluation.notes.append(GAMED)
        return evaluation

    def _protocol_sentence(self):
        table, pairs = self.plan.protocol["protocol"], self.plan.pairs
        held_out = [len(split.validation) for split in self.plan.splits]
        return (
            f"{counted(len(pairs), 'pair')} of {counted(len(set(pairs.patients)), 'patient')}; "
            f"{counted(len(held_out), 'fold')} of patients holding out "
            f"{', '.join(map(str, held_out))} pairs; {counted(table['seeds'], 'seed')}; "
            f"{table['steps']} steps of {table['batch_size']} crops of "
            f"{self.plan.pipeline().get('crop')} for every training; the same batches, "
            "augmentation and optimizers; equal parts start from equal weights."
        )

    def tables(self):
        """Yields `(name, heading, caption, rows, beside)`; beside: whether the paper's rows are."""
        results, reference = self.results, self.plan.protocol["protocol"].get("reference")
        headline = results.group("rule", "table")
        yield "table", "Table 1", CAPTIONS["table"], tables.table_rows(headline), True
        ablation = results.group("ablation")
        if ablation and reference:
            first = results.methods[reference]
            rows = tables.ablation_rows(first, self._compared(ablation))
            yield "ablation", "Ablations", CAPTIONS["ablation"], rows, False
        appendix = results.group("appendix")
        if appendix:
            rows = tables.table_rows(appendix)
            yield "appendix", "Appendix", CAPTIONS["appendix"], rows, False

    def _compared(self, ablation):
        """What the ablations show: those of the group, behind the student without distillation."""
        control = self.plan.protocol["protocol"].get("control")
        return [*([self.results.methods[control]] if control else []), *ablation]

    def markdown(self):
        """`table1.md`: the tables, the verdict, the protocol."""
        parts = [f"# {self.plan.protocol.name}\n"]
        if self.plan.protocol.quick:
            parts.append(f"**{SMOKE}**\n")
        parts.append(f"{self._protocol_sentence()} {GAMED}\n")
        for name, heading, caption, rows, beside in self.tables():
            parts.append(f"## {heading}\n\n{caption}\n")
            parts.append(tables.markdown([*(tables.paper_rows() if beside else []), *rows]))
            if name == "table" and self.verdict:
                parts.append(f"## Does distillation help?\n\n{self.verdict['sentence']}\n")
        diverged = [
            f"- {method.title}: {text}"
            for method in self.results.methods.values()
            for text in method.diverged
        ]
        if diverged:
            parts.append("## Diverged\n\n" + "\n".join(diverged) + "\n")
        return "\n".join(parts)

    def _sections(self):
        """The page's own sections, before those of every evaluation."""
        sections = []
        for name, heading, caption, rows, beside in self.tables():
            content = f'<p class="key">{escape(caption)}</p>'
            content += tables.html([*(tables.paper_rows() if beside else []), *rows], heading)
            sections.append((f"comparison-{name}", heading, content))
        if self.verdict:
            said = f'<p class="summary">{escape(self.verdict["sentence"])}</p>{self._tests()}'
            sections.insert(0, ("verdict", "Does distillation help?", said))
        return sections

    def _tests(self):
        """The numbers behind the verdict, as an HTML list."""
        first, second = escape(self.verdict["first"]), escape(self.verdict["second"])
        items = []
        for key, entry in self.verdict["scores"].items():
            score = SCORES[key]
            limits = entry["interval"]
            shown = f" (95 % {limits[0]:+.4f} to {limits[1]:+.4f})" if limits else ""
            p = "" if entry["p"] is None else f", p = {entry['p']:.3f}, {entry['p_holm']:.3f} Holm"
            items.append(
                f"<li>{escape(score.title)}: {entry['difference']:+.4f}{shown}{p}: "
                f"{entry['verdict']}</li>"
            )
        if not items:
            return ""
        return (
            f'<p class="key">{first} minus {second}, patient by patient; exact signed-rank test '
            f'over patients.</p><ul class="notes">{"".join(items)}</ul>'
        )

    def _write_csv(self):
        """`scores.csv`: a row per method, seed, fold and image."""
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(["method", "seed", "fold", "name", "patient", *SCORES])
        for cell in self.plan.cells:
            if read_result(cell, self.output)["status"] != DONE:
                continue
            pairs = self.plan.splits[cell.fold].validation
            patients = dict(zip(pairs.names, pairs.patients, strict=True))
            for name, values in read_scores(cell, self.output).items():
                texts = [f"{value:.9g}" for value in values]
                writer.writerow(
                    [cell.method, cell.seed, cell.fold + 1, name, patients[name], *texts]
                )
        write_atomically(self.output / "scores.csv", text.getvalue())

    def _pictures(self):
        """Pairs to look at: a few of every fold, by every headline method of the first seed."""
        found = []
        first, second = self.plan.pairs.modalities
        methods = self.results.group("rule", "table")
        for fold, split in enumerate(self.plan.splits):
            pairs = split.validation
            by_method = {m.title: self.results.pictures(m.name, fold) for m in methods}
            for index in pictured(len(pairs)):
                sources = np.round(255 * pairs.image(index)).astype("uint8")
                images = {first: sources[..., 0], second: sources[..., 1]}
                images.update({t: own[index] for t, own in by_method.items() if index in own})
                name, patient = pairs.names[index], pairs.patients[index]
                found.append({"name": name, "patient": patient, "images": images})
        return found

    def _write_figures(self):
        """Our counterparts of the paper's Figures 4 and 5."""
        pictures = self._pictures()
        middle = pictures[len(pictures) // 2]
        images = {
            textwrap.fill(title, TITLE_WIDTH): image[..., None] / 255
            for title, image in middle["images"].items()
        }
        sheet_figure(images, self.output / "figure4.png")
        losses = self._losses()
        if losses["records"]:
            loss_figure(losses["records"], self.output / "figure5.png", losses["equilibria"])

    def _losses(self):
        """Losses of teacher and students in their first cell."""
        protocol = self.plan.protocol["protocol"]
        wanted = [protocol.get("reference"), protocol.get("control")]
        teacher = self.plan.protocol.methods.get(wanted[0] or "", {}).get("teacher")
        records, equilibria = {}, {}
        for name in (teacher, *wanted):
            history = name and self.results.history(name)
            if history:
                title = self.results.methods[name].title
                records[title] = history["records"]
                if history["equilibrium"] is not None:
                    equilibria[title] = history["equilibrium"]
        return {"records": records, "equilibria": equilibria}

// The verdicts: their keys, names and colours, and what agreeing with each kind of finding means.

export const VERDICTS = [
  { verdict: "keep", key: "k", label: "keep", style: "v-keep", help: "the image is as it should be; the doubt is wrong" },
  { verdict: "no landmark", key: "n", label: "no landmark", style: "v-none", help: "it shows none" },
  { verdict: "wrong", key: "w", label: "wrong…", style: "v-wrong", help: "it shows another landmark, which is then searched by name" },
  { verdict: "several", key: "s", label: "several", style: "v-several", help: "it shows several landmarks: those suggested, or (Shift+S, or where none are) those searched by name" },
  { verdict: "copy", key: "c", label: "copy", style: "v-copy", help: "a copy of another image, which stays" },
  { verdict: "bad", key: "b", label: "bad", style: "v-bad", help: "too poor to learn from" },
  { verdict: "unsure", key: "u", label: "unsure", style: "v-unsure", help: "cannot be told; others decide" },
];

export const STYLES = Object.fromEntries(VERDICTS.map((one) => [one.verdict, one.style]));

const BAD = ["too small", "blurred", "dark", "blank", "odd shape", "drawing"];

/** The verdict that agrees with a kind of finding. Of an image under two landmarks any may be right. */
export const AGREEING = {
  "exact copy": "copy", "near copy": "copy", "copy across parts": "copy",
  "wrong landmark": "wrong", "no landmark": "no landmark", "several landmarks": "several",
  ...Object.fromEntries(BAD.map((kind) => [kind, "bad"])),
  "no finding": "keep",
};

export const QUEUE_NAMES = {
  all: "all doubts", accepted: "all accepted", disputed: "disputed",
  "audit-accepted": "audit of accepted", "audit-clear": "audit of no finding",
};

/** What is to be done in queues that do not say it by their name. */
const LIKELIEST_FIRST = "The likeliest come first. A doubt of 3 % means that 3 of 100 such images are wrong: stop where too few are.";

export const QUEUE_NOTES = {
  "wrong landmark": LIKELIEST_FIRST,
  "no landmark": LIKELIEST_FIRST,
  "under two landmarks": "Copies that are said to show different things. Keep where this one is right; else wrong, which offers what its copy shows.",
  accepted: "Accepted without asking anybody; nothing has to be decided here.",
  disputed: "Reviewers differ about these. Change your own verdict where another one convinces you.",
  "audit-accepted": "A sample of what was accepted without asking. Agree where that is right; keep what should stay as it is.",
  "audit-clear": "A sample of images in which nothing was found. Keep what is right; of the others say what is wrong.",
};

// Does long work in slices, so that the browser responds meanwhile.

const SLICE = 10; // milliseconds
const RUN = 200; // items between two looks at the clock

// Returns a function to await between the steps of long work.
function pacer() {
  let end = performance.now() + SLICE;
  return async () => {
    if (performance.now() < end) return;
    await new Promise((resolve) => { setTimeout(resolve); });
    end = performance.now() + SLICE;
  };
}

// Makes an array of what `act` returns for each item.
export async function map(items, act) {
  const pace = pacer();
  const made = [];
  for (const item of items) {
    made.push(act(item));
    if (made.length % RUN === 0) await pace();
  }
  return made;
}

async function merged(a, b, compare, pace) {
  const made = [];
  let i = 0;
  let j = 0;
  while (i < a.length && j < b.length) {
    if (compare(b[j], a[i]) < 0) {
      made.push(b[j]);
      j += 1;
    } else {
      made.push(a[i]);
      i += 1;
    }
    if (made.length % RUN === 0) await pace();
  }
  return made.concat(a.slice(i), b.slice(j));
}

// Sorts as Array.prototype.toSorted does.
export async function sorted(items, compare) {
  const pace = pacer();
  let runs = [];
  for (let first = 0; first < items.length; first += RUN) {
    runs.push(items.slice(first, first + RUN).sort(compare));
    await pace();
  }
  while (runs.length > 1) {
    const longer = [];
    for (let i = 0; i < runs.length; i += 2) {
      longer.push(await merged(runs[i], runs[i + 1] ?? [], compare, pace));
    }
    runs = longer;
  }
  return runs[0] ?? [];
}

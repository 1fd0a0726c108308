// Swagger UI resolves the whole document anew for each operation that somebody opens, seconds each at our size. Our
// document refers to nothing but itself, so that it is enough to follow the references of the part that is shown.
const inlineReferences = () => ({
  fn: {
    resolveSubtree: async (document, path) => {
      const follow = (keys) => keys.reduce((node, key) => node?.[key], document);
      const target = (reference) =>
        follow(reference.slice(2).split("/").map((key) => key.replaceAll("~1", "/").replaceAll("~0", "~")));
      const inline = (node, within) => {
        if (Array.isArray(node)) return node.map((item) => inline(item, within));
        if (node === null || typeof node !== "object") return node;
        const { $ref: reference, ...beside } = node;
        if (typeof reference !== "string" || !reference.startsWith("#/")) return inlineEach(node, within);
        if (within.includes(reference)) return node; // it holds itself: shown as a reference
        return { ...inline(target(reference), [...within, reference]), ...inlineEach(beside, within) };
      };
      const inlineEach = (node, within) =>
        Object.fromEntries(Object.entries(node).map(([key, value]) => [key, inline(value, within)]));
      return { spec: inline(follow(path), []) ?? null, errors: [] };
    },
  },
});

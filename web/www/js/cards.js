// The explanations. Each names the figure that it is about and what the page does for it.

export const CARDS = [
  {
    title: 'The supernet',
    text: 'Every edge of the cell is a mixture of all candidate operations. The strands are as wide as their share p = softmax(α). The search ends when two edges of every node, with their strongest operation each, are kept.',
    figure: 'mixture', button: 'Show the cell',
  },
  {
    title: 'Two games at once',
    text: 'The α-step moves the shares to lower the loss on validation images. The w-step trains the weights on training images. Press it repeatedly: one part of a step at a time.',
    figure: 'mixture', button: 'Do the next part', act: page => page.part(),
  },
  {
    title: 'The collapse',
    text: 'A skip connection has no weights and helps half-trained networks at once, so its share grows before the convolutions are any good. The page raises its alarm at the end of an epoch in which more than half of the cell is skip connections and their mean share is over 1.1 times an even one. The story above shows it on real images; the toy does so at some seeds.',
    figure: 'parameter-free', button: 'Search with DARTS alone', act: page => page.compare('collapse'),
  },
  {
    title: 'Random smoothing',
    text: 'SDARTS-RS trains the weights at p + δ with δ drawn from [−ε, ε], its rows clipped to probability vectors again. Weights that are good all around p make the validation loss smooth in α.',
    figure: 'perturbation', button: 'In slow motion', act: page => page.compare('random', 'parts'),
  },
  {
    title: 'The adversary',
    text: 'SDARTS-ADV trains at the worst p nearby: a few steps of gradient ascent on the training loss. It costs several times as much as noise. In the paper it holds best.',
    figure: 'perturbation', button: 'In slow motion', act: page => page.compare('adversarial', 'parts'),
  },
  {
    title: 'Sharp and flat',
    text: 'A search keeps one operation of every edge in the end, far from the mixture that it trained. Where the validation loss bends sharply in α, the network does not survive that move. The Hessian norm is how much it bends at one place, the landscape what becomes of the accuracy around it. In the paper both say that perturbations keep the search flat. This toy is too small to show that: which search is flatter varies with seed and epoch.',
    figure: 'landscape', button: 'Measure all searches now', act: page => page.measure().catch(error => page.report(error)),
  },
];

export function show(list, page) {
  CARDS.forEach((card, index) => {
    const item = document.createElement('li');
    const title = document.createElement('h4');
    title.textContent = `${index + 1}. ${card.title}`;
    const text = document.createElement('p');
    text.textContent = card.text;
    const button = document.createElement('button');
    button.type = 'button';
    button.textContent = card.button;
    button.setAttribute('aria-label', `${card.title}: ${card.button}`);
    button.addEventListener('click', () => { page.light(card.figure); card.act?.(page); });
    item.append(title, text, button);
    list.append(item);
  });
}

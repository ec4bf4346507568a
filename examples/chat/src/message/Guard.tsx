import { Component, type ErrorInfo, type ReactNode } from 'react'

interface Props {
  /** Another value gives the content another try. */
  of: unknown
  /** Shown in place of content that cannot be rendered. */
  fallback: ReactNode
  children: ReactNode
}

/** Keeps content that cannot be rendered from taking the page with it: a log may hold anything. */
export class Guard extends Component<Props, { failedFor: unknown }> {
  override state = { failedFor: undefined }

  static getDerivedStateFromError() {
    return { failedFor: NaN }
  }

  override componentDidCatch(error: Error, info: ErrorInfo) {
    console.warn('A message cannot be shown.', error, info.componentStack)
    this.setState({ failedFor: this.props.of })
  }

  override render() {
    const { failedFor } = this.state
    const failed = failedFor !== undefined && (Number.isNaN(failedFor) || failedFor === this.props.of)
    return failed ? this.props.fallback : this.props.children
  }
}

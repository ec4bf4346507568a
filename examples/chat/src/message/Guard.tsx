import { Component, type ErrorInfo, type ReactNode } from 'react'

interface Props {
  /** Another value gives the content another try. */
  of: unknown
  children: ReactNode
}

/** Keeps content that cannot be shown from taking the page with it: anything may stand in a log. */
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
    return failed ? <p className="faint">This message cannot be shown.</p> : this.props.children
  }
}
